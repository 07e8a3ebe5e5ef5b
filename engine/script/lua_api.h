// The one place that includes Lua, for this room's .cpp files only. Debian's C++ build of Lua
// throws where the C build jumps, so destructors run when a Lua error passes through our frames;
// its headers must not be wrapped in extern "C".
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

namespace cannula::script {

// What a binding throws when the script asked for something that cannot be done. It reaches the
// script as a Lua error "file:line: text [code]".
class ScriptError : public std::exception {
 public:
  ScriptError(std::string_view code, std::string_view text);
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

// Raises `failure` as a Lua error with the place of the caller in front.
[[noreturn]] void raise_failure(lua_State* L, const std::exception& failure);

// The guard of every function of ours that Lua calls: a C++ exception becomes a Lua error. Lua's
// own errors and yields are exceptions too (of a type of its own) and must pass; so there is no
// catch (...) in this room.
template <int (*function)(lua_State*)>
int guarded(lua_State* L) {
  try {
    return function(L);
  } catch (const std::exception& failure) {
    raise_failure(L, failure);
  }
}

template <int (*function)(lua_State*, int, lua_KContext)>
int guarded_continuation(lua_State* L, int status, lua_KContext context) {
  try {
    return function(L, status, context);
  } catch (const std::exception& failure) {
    raise_failure(L, failure);
  }
}

inline void push(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}

// The bytes of the string at `index`, which must be a string; they live while it is on the stack.
inline std::string_view view_at(lua_State* L, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

// The argument `index`: a string, or a number as its text.
inline std::string_view string_argument(lua_State* L, int index) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(L, index, &size);
  return {text, size};
}

}  // namespace cannula::script
