#include "engine/script/string_library.h"

#include <cstring>
#include <string>

#include "engine/script/machine.h"
#include "engine/script/pattern.h"
#include "engine/script/prelude.h"
#include "engine/script/registry.h"

namespace cannula::script {

namespace {

// Tells the machine of each step, and ends a match that takes too many: a linear pattern needs a
// few for each byte.
class MachineMeter final : public StepMeter {
 public:
  MachineMeter(lua_State* L, std::size_t subject)
      : L_(L), machine_(Machine::of(L)), left_(kSteps + kStepsForByte * subject) {}
  void spent(std::size_t steps) override {
    if (steps > left_) {
      machine_.stop(L_, Machine::Stop::pattern,
                    "a pattern needs too many steps on this text: it tries the same bytes in many "
                    "ways, as '.-.-' does");
    }
    left_ -= steps;
    machine_.work(L_, steps);
  }

 private:
  static constexpr std::size_t kSteps = 20'000'000;
  static constexpr std::size_t kStepsForByte = 32;
  lua_State* L_;
  Machine& machine_;
  std::size_t left_;
};

void push_capture(lua_State* L, const Matcher& matcher, int index, const char* begin,
                  const char* end) {
  const Matcher::Capture capture = matcher.capture(index, begin, end);
  if (capture.size == Matcher::Capture::kPosition) {
    lua_pushinteger(L, capture.begin - matcher.begin() + 1);
  } else {
    lua_pushlstring(L, capture.begin, static_cast<std::size_t>(capture.size));
  }
}

int push_captures(lua_State* L, const Matcher& matcher, const char* begin, const char* end,
                  bool whole_if_none) {
  const int count = matcher.captures() == 0 && whole_if_none ? 1 : matcher.captures();
  luaL_checkstack(L, count, "too many captures");
  for (int index = 0; index < count; ++index) push_capture(L, matcher, index, begin, end);
  return count;
}

// Where a search starts: as Lua, negative from the end; offset from 0. More than the size: no
// match.
std::size_t start_offset(lua_Integer position, std::size_t size) {
  if (position > 0) return static_cast<std::size_t>(position) - 1;
  if (position == 0) return 0;
  if (position < -static_cast<lua_Integer>(size)) return 0;
  return size - static_cast<std::size_t>(-position);
}

bool has_no_specials(std::string_view pattern) {
  return pattern.find_first_of("^$*+?.([%-") == std::string_view::npos;
}

int find_plain(lua_State* L, std::string_view text, std::string_view wanted, std::size_t from) {
  // memmem is linear; comparing at each first letter is not.
  const char* found = static_cast<const char*>(
      memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size()));
  Machine::of(L).work(L, (text.size() - from) / 8);
  if (found == nullptr) {
    luaL_pushfail(L);
    return 1;
  }
  lua_pushinteger(L, found - text.data() + 1);
  lua_pushinteger(L, found - text.data() + static_cast<lua_Integer>(wanted.size()));
  return 2;
}

int search(lua_State* L, bool find) {
  const std::string_view text = string_argument(L, 1);
  std::string_view pattern = string_argument(L, 2);
  const std::size_t from = start_offset(luaL_optinteger(L, 3, 1), text.size());
  if (from > text.size()) {
    luaL_pushfail(L);
    return 1;
  }
  if (find && (lua_toboolean(L, 4) != 0 || has_no_specials(pattern))) {
    return find_plain(L, text, pattern, from);
  }
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  MachineMeter meter(L, text.size());
  Matcher matcher(text, pattern, meter);
  const char* at = text.data() + from;
  for (; anchored || (at = matcher.next_start(at)) != nullptr; ++at) {
    if (const char* end = matcher.match(at)) {
      if (!find) return push_captures(L, matcher, at, end, true);
      lua_pushinteger(L, at - text.data() + 1);
      lua_pushinteger(L, end - text.data());
      return push_captures(L, matcher, at, end, false) + 2;
    }
    if (anchored) break;
  }
  luaL_pushfail(L);
  return 1;
}

int find(lua_State* L) {
  return search(L, true);
}
int match(lua_State* L) {
  return search(L, false);
}

// Upvalues: text, pattern, offset to go on at, offset of the last match's end or -1.
int next_of_gmatch(lua_State* L) {
  const std::string_view text = view_at(L, lua_upvalueindex(1));
  const std::string_view pattern = view_at(L, lua_upvalueindex(2));
  const char* at = text.data() + lua_tointeger(L, lua_upvalueindex(3));
  const lua_Integer last_offset = lua_tointeger(L, lua_upvalueindex(4));
  const char* last = last_offset < 0 ? nullptr : text.data() + last_offset;
  MachineMeter meter(L, text.size());
  Matcher matcher(text, pattern, meter);
  for (; (at = matcher.next_start(at)) != nullptr; ++at) {
    const char* end = matcher.match(at);
    if (end == nullptr || end == last) continue;
    lua_pushinteger(L, end - text.data());
    lua_copy(L, -1, lua_upvalueindex(3));
    lua_replace(L, lua_upvalueindex(4));
    return push_captures(L, matcher, at, end, true);
  }
  lua_pushinteger(L, static_cast<lua_Integer>(text.size()) + 1);
  lua_replace(L, lua_upvalueindex(3));
  return 0;
}

int gmatch(lua_State* L) {
  const std::string_view text = string_argument(L, 1);
  string_argument(L, 2);
  const std::size_t from = start_offset(luaL_optinteger(L, 3, 1), text.size());
  lua_settop(L, 2);
  lua_pushinteger(L, static_cast<lua_Integer>(std::min(from, text.size() + 1)));
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, &guarded<next_of_gmatch>, 4);
  return 1;
}

// Adds the replacement text with %0 … %9 filled in.
void add_replacement_text(lua_State* L, luaL_Buffer& out, const Matcher& matcher,
                          std::string_view replacement, const char* begin, const char* end) {
  while (true) {
    const std::size_t mark = replacement.find('%');
    luaL_addlstring(&out, replacement.data(), std::min(mark, replacement.size()));
    if (mark == std::string_view::npos) return;
    const char kind = mark + 1 < replacement.size() ? replacement[mark + 1] : '\0';
    replacement.remove_prefix(std::min(mark + 2, replacement.size()));
    if (kind == '%') {
      luaL_addchar(&out, '%');
    } else if (kind == '0') {
      luaL_addlstring(&out, begin, static_cast<std::size_t>(end - begin));
    } else if (kind >= '1' && kind <= '9') {
      push_capture(L, matcher, kind - '1', begin, end);
      luaL_tolstring(L, -1, nullptr);
      lua_remove(L, -2);
      luaL_addvalue(&out);
    } else {
      throw PatternError("invalid use of '%' in replacement string");
    }
  }
}

// True when the text changed.
bool add_replacement(lua_State* L, luaL_Buffer& out, const Matcher& matcher, const char* begin,
                     const char* end) {
  if (lua_type(L, 3) != LUA_TTABLE) {
    add_replacement_text(L, out, matcher, view_at(L, 3), begin, end);
    return true;
  }
  push_capture(L, matcher, 0, begin, end);
  lua_rawget(L, 3);
  if (lua_toboolean(L, -1) == 0) {
    lua_pop(L, 1);
    luaL_addlstring(&out, begin, static_cast<std::size_t>(end - begin));
    return false;
  }
  if (lua_isstring(L, -1) == 0) {
    throw PatternError(std::string("invalid replacement value (a ") + luaL_typename(L, -1) + ")");
  }
  luaL_addvalue(&out);
  return true;
}

int finish_gsub(lua_State* L, int, lua_KContext) {
  return lua_gettop(L);
}

bool has_match(lua_State* L, std::string_view text, std::string_view pattern) {
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  MachineMeter meter(L, text.size());
  Matcher matcher(text, pattern, meter);
  for (const char* at = matcher.begin(); (at = matcher.next_start(at)) != nullptr; ++at) {
    if (matcher.match(at) != nullptr) return true;
    if (anchored) break;
  }
  return false;
}

int gsub(lua_State* L) {
  const std::string_view text = string_argument(L, 1);
  std::string_view pattern = string_argument(L, 2);
  const int kind = lua_type(L, 3);
  luaL_argexpected(
      L, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE,
      3, "string/function/table");
  const lua_Integer most = luaL_optinteger(L, 4, static_cast<lua_Integer>(text.size()) + 1);
  lua_settop(L, 3);
  if (kind == LUA_TFUNCTION || (kind == LUA_TTABLE && lua_getmetatable(L, 3) != 0)) {
    lua_settop(L, 3);
    // The Lua function costs more than a look whether there is anything for it to do.
    if (!has_match(L, text, pattern)) {
      lua_pushvalue(L, 1);
      lua_pushinteger(L, 0);
      return 2;
    }
    push_gsub_with_function(L);
    lua_insert(L, 1);
    lua_pushinteger(L, most);
    lua_callk(L, 4, LUA_MULTRET, 0, &guarded_continuation<finish_gsub>);
    return finish_gsub(L, LUA_OK, 0);
  }
  if (kind == LUA_TNUMBER) lua_tolstring(L, 3, nullptr);

  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  MachineMeter meter(L, text.size());
  Matcher matcher(text, pattern, meter);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  const char* at = matcher.begin();
  const char* kept = at;  // from here on nothing is in `out` yet
  const char* last = nullptr;
  bool changed = false;
  lua_Integer count = 0;
  while (count < most && (anchored || (at = matcher.next_start(at)) != nullptr)) {
    const char* end = matcher.match(at);
    if (end != nullptr && end != last) {
      ++count;
      luaL_addlstring(&out, kept, static_cast<std::size_t>(at - kept));
      changed = add_replacement(L, out, matcher, at, end) || changed;
      at = last = kept = end;
    } else if (at++ == matcher.end()) {
      break;
    }
    if (anchored) break;
  }
  if (changed) {
    luaL_addlstring(&out, kept, static_cast<std::size_t>(matcher.end() - kept));
    luaL_pushresult(&out);
  } else {
    luaL_pushresultsize(&out, 0);
    lua_pushvalue(L, 1);
  }
  lua_pushinteger(L, count);
  return 2;
}

int repeat(lua_State* L) {
  const std::string_view text = string_argument(L, 1);
  const lua_Integer count = luaL_checkinteger(L, 2);
  const std::string_view separator = lua_isnoneornil(L, 3) ? "" : string_argument(L, 3);
  if (count <= 0 || (text.empty() && separator.empty())) {
    lua_pushliteral(L, "");
    return 1;
  }
  const std::size_t piece = text.size() + separator.size();
  const std::size_t limit = Machine::of(L).limits().memory;
  if (static_cast<std::size_t>(count) > limit / piece) {
    throw ScriptError("L202", "string.rep would make more bytes than this script may hold");
  }
  const std::size_t size = piece * static_cast<std::size_t>(count) - separator.size();
  luaL_Buffer out;
  char* place = luaL_buffinitsize(L, &out, size);
  std::string first(text);
  first += separator;
  const std::size_t start = std::min(size, first.size());
  // The length goes to Lua on its own.
  std::memcpy(place, first.data(), start);  // NOLINT(bugprone-not-null-terminated-result)
  for (std::size_t done = start; done < size;) {
    const std::size_t step = std::min(done, size - done);
    std::memcpy(place + done, place, step);
    done += step;
  }
  luaL_pushresultsize(&out, size);
  return 1;
}

constexpr Binding kBindings[] = {
    {"byte", "(s: string, i?: integer, j?: integer): integer", "As in Lua."},
    {"char", "(...: integer): string", "As in Lua."},
    {"find",
     "(s: string, pattern: string, init?: integer, plain?: boolean): integer?, integer?, any",
     "As in Lua. A pattern that needs too many steps ends the message.", &guarded<find>},
    {"format", "(format: string, ...): string", "As in Lua."},
    {"gmatch", "(s: string, pattern: string, init?: integer): function",
     "As in Lua, with the exception of `find`.", &guarded<gmatch>},
    {"gsub",
     "(s: string, pattern: string, replacement: string|table|function, n?: integer): string, "
     "integer",
     "As in Lua, with the exception of `find`.", &guarded<gsub>},
    {"len", "(s: string): integer", "As in Lua."},
    {"lower", "(s: string): string", "As in Lua."},
    {"match", "(s: string, pattern: string, init?: integer): any",
     "As in Lua, with the exception of `find`.", &guarded<match>},
    {"pack", "(format: string, ...): string", "As in Lua."},
    {"packsize", "(format: string): integer", "As in Lua."},
    {"rep", "(s: string, n: integer, separator?: string): string",
     "As in Lua; an error when the result would not fit into the script's memory.",
     &guarded<repeat>},
    {"reverse", "(s: string): string", "As in Lua."},
    {"sub", "(s: string, i: integer, j?: integer): string", "As in Lua."},
    {"unpack", "(format: string, s: string, position?: integer): any", "As in Lua."},
    {"upper", "(s: string): string", "As in Lua."},
};

}  // namespace

int next_match(lua_State* L) {
  const std::string_view text = string_argument(L, 1);
  std::string_view pattern = string_argument(L, 2);
  const lua_Integer from = luaL_checkinteger(L, 3) - 1;
  const lua_Integer last = luaL_checkinteger(L, 4) - 1;
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  MachineMeter meter(L, text.size());
  Matcher matcher(text, pattern, meter);
  for (const char* at = text.data() + from; at <= matcher.end(); ++at) {
    const char* end = matcher.match(at);
    if (end != nullptr && end - text.data() != last) {
      lua_pushinteger(L, at - text.data() + 1);
      lua_pushinteger(L, end - text.data() + 1);
      return push_captures(L, matcher, at, end, true) + 2;
    }
    if (anchored) break;
  }
  return 0;
}

Library string_library() {
  return {"string", Library::Kind::table,
          "Patterns are those of Lua, run by the engine so that they stop. `string.dump` is not "
          "available.",
          kBindings, true};
}

}  // namespace cannula::script
