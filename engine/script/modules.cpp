#include "engine/script/modules.h"

#include <string>
#include <vector>

#include "engine/script/compat.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"

namespace cannula::script {

namespace {

const char kModules = 0;  // registry: name -> value, or kLoading while it runs
const char kLoading = 0;

[[noreturn]] void unknown_module(const Program& program, std::string_view name) {
  std::vector<std::string_view> names;
  std::string list;
  for (const auto& [known, source] : program.modules) {
    names.push_back(known);
    list += (list.empty() ? "" : ", ") + known;
  }
  for (const BuiltInModule& module : built_in_modules()) names.push_back(module.name);
  throw ScriptError("L217", "there is no module '" + std::string(name.substr(0, 60)) + "'" +
                                did_you_mean(name, names) +
                                "; modules are the files lib/NAME.lua of the site, here: " +
                                (list.empty() ? "none" : list));
}

int keep_module(lua_State* L, int, lua_KContext) {
  // Stack: name, modules, value.
  if (lua_isnil(L, 3)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_rawset(L, 2);
  return 1;
}

}  // namespace

int load_source(lua_State* L, const Source& source) {
  const std::string name = "@" + source.name();
  const std::string_view text = without_byte_order_mark(source.text());
  return luaL_loadbufferx(L, text.data(), text.size(), name.c_str(), "t");
}

int require_module(lua_State* L) {
  const Program& program = LuaRuntime::of(L).program();
  const std::string name(string_argument(L, 1));
  lua_settop(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kModules) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kModules);
  }
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 2) != LUA_TNIL) {
    if (lua_touserdata(L, -1) != &kLoading || lua_islightuserdata(L, -1) == 0) return 1;
    throw ScriptError("L218",
                      "module '" + name +
                          "' is required while it is being loaded: two modules require each "
                          "other, or it failed before. Move what both need into a third one");
  }
  lua_settop(L, 2);
  const auto found = program.modules.find(name);
  const BuiltInModule* built_in =
      found == program.modules.end() ? find_built_in_module(name) : nullptr;
  if (built_in != nullptr) {
    const std::string chunk = "@" + name;
    if (luaL_loadbufferx(L, built_in->text.data(), built_in->text.size(), chunk.c_str(), "t") !=
        LUA_OK) {
      return lua_error(L);
    }
  } else {
    if (found == program.modules.end()) unknown_module(program, name);
    if (load_source(L, *found->second) != LUA_OK) return lua_error(L);
  }
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, const_cast<char*>(&kLoading));
  lua_rawset(L, 2);
  lua_pushvalue(L, 1);
  if (built_in != nullptr) push_module_support(L);
  lua_callk(L, built_in != nullptr ? 2 : 1, 1, 0, &guarded_continuation<keep_module>);
  return keep_module(L, LUA_OK, 0);
}

}  // namespace cannula::script
