// Lua's basic functions, those that a sandbox cannot take over as they are: protected calls that
// never catch a limit, text-only load, setmetatable without finalizers, raw access that respects
// read-only tables.
#include <cstring>

#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/machine.h"
#include "engine/script/registry.h"
#include "engine/script/sandbox.h"

namespace cannula::script {

namespace {

constexpr std::size_t kLongestChunk = 64u
                                      << 10;  // bytes that load() compiles: it cannot be suspended

// A limit and skip(), park(), reject() go through every protected call.
void pass_stop(lua_State* L, int status) {
  Machine& machine = Machine::of(L);
  machine.note_status(L, status);
  if (machine.stopped() != Machine::Stop::none) machine.throw_stop(L);
}

int finish_protected_call(lua_State* L, int status, lua_KContext extra) {
  if (status != LUA_OK && status != LUA_YIELD) {
    pass_stop(L, status);
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
  }
  return lua_gettop(L) - static_cast<int>(extra);
}

int protected_call(lua_State* L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  const int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0,
                                &guarded_continuation<finish_protected_call>);
  return finish_protected_call(L, status, 0);
}

// Stands between Lua and the script's message handler, which must not see a stop.
int handle_message(lua_State* L) {
  if (Machine::of(L).stopped() != Machine::Stop::none) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

int protected_call_with_handler(lua_State* L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  const int arguments = lua_gettop(L) - 2;
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, &guarded<handle_message>, 1);
  lua_replace(L, 2);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  const int status =
      lua_pcallk(L, arguments, LUA_MULTRET, 2, 2, &guarded_continuation<finish_protected_call>);
  return finish_protected_call(L, status, 2);
}

int load_text(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    throw ScriptError(
        "L206",
        "load takes the text of a chunk as a string; a function that gives pieces is not taken");
  }
  const std::string_view text = view_at(L, 1);
  if (text.size() > kLongestChunk) {
    throw ScriptError(
        "L206", "load takes at most 64 KB of text: put larger modules in lib/ and require them");
  }
  const std::string name = luaL_optstring(L, 2, "=load");
  if (const char* mode = luaL_optstring(L, 3, "t"); std::strchr(mode, 't') == nullptr) {
    throw ScriptError("L206", "load takes text only, not compiled chunks");
  }
  Machine::of(L).work(L, 4 * text.size());
  const bool has_environment = lua_gettop(L) >= 4;
  if (luaL_loadbufferx(L, text.data(), text.size(), name.c_str(), "t") != LUA_OK) {
    luaL_pushfail(L);
    lua_insert(L, -2);
    return 2;
  }
  if (has_environment) {
    lua_pushvalue(L, 4);
    if (lua_setupvalue(L, -2, 1) == nullptr) lua_pop(L, 1);
  }
  return 1;
}

int set_metatable(lua_State* L) {
  const int kind = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, kind == LUA_TNIL || kind == LUA_TTABLE, 2, "nil or table");
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
    return luaL_error(L, "cannot change a protected metatable");
  }
  if (kind == LUA_TTABLE) {
    for (const char* refused : {"__gc", "__mode"}) {
      lua_pushstring(L, refused);
      if (lua_rawget(L, 2) != LUA_TNIL) {
        throw ScriptError("L205", std::string("a metatable of a script cannot have ") + refused +
                                      ": finalizers and weak tables are not available here");
      }
      lua_pop(L, 1);
    }
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

int raw_get(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  push_behind_protection(L, 1);
  lua_replace(L, 1);
  lua_rawget(L, 1);
  return 1;
}

int raw_set(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  refuse_protected(L, 1);
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 1;
}

int raw_length(lua_State* L) {
  const int kind = lua_type(L, 1);
  luaL_argexpected(L, kind == LUA_TTABLE || kind == LUA_TSTRING, 1, "table or string");
  lua_pushinteger(L, static_cast<lua_Integer>(lua_rawlen(L, 1)));
  return 1;
}

int next_entry(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  push_behind_protection(L, 1);
  lua_replace(L, 1);
  if (lua_next(L, 1) != 0) return 2;
  lua_pushnil(L);
  return 1;
}

int finish_tostring(lua_State* L, int, lua_KContext) {
  if (lua_type(L, -1) != LUA_TSTRING) return luaL_error(L, "'__tostring' must return a string");
  return 1;
}

// As Lua's, but a __tostring of the script may be suspended.
int to_string(lua_State* L) {
  luaL_checkany(L, 1);
  if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
    luaL_tolstring(L, 1, nullptr);
    return 1;
  }
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 1, 0, &guarded_continuation<finish_tostring>);
  return finish_tostring(L, LUA_OK, 0);
}

int collect_garbage(lua_State* L) {
  const std::string_view option = lua_isnoneornil(L, 1) ? "collect" : string_argument(L, 1);
  if (option != "count") {
    throw ScriptError("L206",
                      "collectgarbage answers \"count\" only: the engine decides when to collect");
  }
  lua_pushnumber(L, static_cast<lua_Number>(Machine::of(L).memory().used()) / 1024.0);
  return 1;
}

constexpr Binding kBindings[] = {
    {"assert", "(value: any, message?: any, ...): any", "As in Lua."},
    {"collectgarbage", "(option: \"count\"): number",
     "The memory this channel's state holds, in KB. The other options of Lua are not available.",
     &guarded<collect_garbage>},
    {"error", "(message: any, level?: integer)", "As in Lua."},
    {"getmetatable", "(value: any): table?",
     "As in Lua; the metatables of strings and of the engine's objects are hidden."},
    {"ipairs", "(t: table): function", "As in Lua."},
    {"load", "(text: string, name?: string, mode?: \"t\", env?: table): function?, string?",
     "Compiles a text of at most 64 KB. Compiled chunks and reader functions are refused.",
     &guarded<load_text>},
    {"next", "(t: table, key?: any): any, any", "As in Lua.", &guarded<next_entry>},
    {"pairs", "(t: table): function", "As in Lua."},
    {"pcall", "(f: function, ...): boolean, any",
     "As in Lua, except that a limit, `skip`, `park` and `reject` cannot be caught.",
     &guarded<protected_call>},
    {"rawequal", "(a: any, b: any): boolean", "As in Lua."},
    {"rawget", "(t: table, key: any): any", "As in Lua.", &guarded<raw_get>},
    {"rawlen", "(t: table|string): integer", "As in Lua.", &guarded<raw_length>},
    {"rawset", "(t: table, key: any, value: any): table",
     "As in Lua; refused for read-only tables.", &guarded<raw_set>},
    {"select", "(n: integer|\"#\", ...): any", "As in Lua."},
    {"setmetatable", "(t: table, metatable?: table): table",
     "As in Lua, without `__gc` and `__mode`: no finalizers, no weak tables.",
     &guarded<set_metatable>},
    {"tonumber", "(value: any, base?: integer): number?", "As in Lua."},
    {"tostring", "(value: any): string", "As in Lua.", &guarded<to_string>},
    {"type", "(value: any): string", "As in Lua."},
    {"xpcall", "(f: function, handler: function, ...): boolean, any",
     "As in Lua, with the exceptions of `pcall`.", &guarded<protected_call_with_handler>},
};

}  // namespace

Library base_library() {
  return {"Lua's basic functions", Library::Kind::globals,
          "`dofile`, `loadfile`, `warn`, `io`, `os`, `debug` and `package` are not available.",
          kBindings, true};
}

}  // namespace cannula::script
