#include "engine/script/sandbox.h"

#include <string>
#include <vector>

#include "engine/script/document_objects.h"
#include "engine/script/fhir_library.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/prelude.h"
#include "engine/script/rules_objects.h"
#include "engine/script/state_table.h"
#include "parsers/text/diagnostic.h"

namespace cannula::script {

namespace {

// Keys of the registry and of the metatables of read-only tables; their addresses are their names.
const char kBehind = 0;
const char kGlobals = 0;

constexpr const char* kBaseFunctions[] = {"assert",   "error",  "getmetatable", "ipairs", "pairs",
                                          "rawequal", "select", "tonumber",     "type"};
constexpr const char* kStringFunctions[] = {"byte",  "char",   "format",   "len",
                                            "lower", "pack",   "packsize", "reverse",
                                            "sub",   "unpack", "upper"};

std::string show(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TSTRING:
      return "'" + std::string(view_at(L, index).substr(0, 60)) + "'";
    case LUA_TNUMBER: {
      lua_pushvalue(L, index);
      std::string text(view_at(L, -1));
      lua_pop(L, 1);
      return text;
    }
    default:
      return std::string("a ") + luaL_typename(L, index);
  }
}

// " (did you mean 'x'?)" from the string keys of the table at `index`.
std::string suggestion(lua_State* L, int index, std::string_view name) {
  std::vector<std::string_view> names;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) names.push_back(view_at(L, -1));
  }
  const auto found = nearest(name, names);
  return found ? " (did you mean '" + *found + "'?)" : "";
}

int unknown_global(lua_State* L) {
  if (lua_type(L, 2) != LUA_TSTRING) {
    lua_pushnil(L);
    return 1;
  }
  const std::string name(view_at(L, 2).substr(0, 60));
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kGlobals);
  throw ScriptError("L203", "unknown name '" + name + "'" + suggestion(L, lua_gettop(L), name));
}

int write_global(lua_State* L) {
  if (lua_toboolean(L, lua_upvalueindex(1)) == 0 && !LuaRuntime::of(L).frozen()) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kGlobals);
    lua_replace(L, 1);
    lua_rawset(L, 1);
    return 0;
  }
  throw ScriptError(
      "L204",
      "global " + show(L, 2) + " cannot be written once the script is loaded: write 'local " +
          (lua_type(L, 2) == LUA_TSTRING ? std::string(view_at(L, 2).substr(0, 60)) : "name") +
          " = …', or keep it in state[…]");
}

int write_library(lua_State* L) {
  throw ScriptError("L204", show(L, 2) + " of '" + std::string(view_at(L, lua_upvalueindex(1))) +
                                "' cannot be written: the table is read-only");
}

int pairs_behind(lua_State* L) {
  lua_getglobal(L, "next");
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

// [real] -> [face]; `newindex` says what a write does.
void make_face(lua_State* L, lua_CFunction newindex, const char* name) {
  lua_newtable(L);
  lua_createtable(L, 0, 5);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  if (name != nullptr) {
    lua_pushstring(L, name);
  } else {
    lua_pushboolean(L, 0);
  }
  lua_pushcclosure(L, newindex, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, &guarded<pairs_behind>);
  lua_setfield(L, -2, "__pairs");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -3);
  lua_rawsetp(L, -2, &kBehind);
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

// [stock] -> [new table with the named members of it]
template <std::size_t count>
void keep_only(lua_State* L, const char* const (&names)[count]) {
  lua_createtable(L, 0, static_cast<int>(count) + 8);
  for (const char* name : names) {
    lua_getfield(L, -2, name);
    lua_setfield(L, -2, name);
  }
  lua_remove(L, -2);
}

void open_standard(lua_State* L, const char* name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

// `s:upper()`: method calls on strings find the real table, which scripts cannot write to.
void set_string_metatable(lua_State* L) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);  // has Lua's arithmetic on numbers in strings
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

// [library] -> []; also where Lua's own error messages look for the names of functions.
void add_library(lua_State* L, int globals, const char* name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
  protect_table(L, name);
  lua_setfield(L, globals, name);
}

}  // namespace

void set_functions(lua_State* L, const Library& library) {
  for (const Binding& binding : library.bindings) {
    if (binding.function == nullptr) continue;
    lua_pushlstring(L, binding.name.data(), binding.name.size());
    lua_pushcfunction(L, binding.function);
    lua_rawset(L, -3);
  }
}

void protect_table(lua_State* L, const char* name) {
  make_face(L, &guarded<write_library>, name);
}

void protect_callable(lua_State* L, lua_CFunction call, const char* name) {
  protect_table(L, name);
  lua_getmetatable(L, -1);
  lua_pushcfunction(L, call);
  lua_setfield(L, -2, "__call");
  lua_pop(L, 1);
}

void push_behind_protection(lua_State* L, int index) {
  const int table = lua_absindex(L, index);
  if (lua_getmetatable(L, table) != 0) {
    if (lua_rawgetp(L, -1, &kBehind) == LUA_TTABLE) {
      lua_remove(L, -2);
      return;
    }
    lua_pop(L, 2);
  }
  lua_pushvalue(L, table);
}

void refuse_protected(lua_State* L, int index) {
  const int table = lua_absindex(L, index);
  if (lua_getmetatable(L, table) == 0) return;
  const bool is_face = lua_rawgetp(L, -1, &kBehind) == LUA_TTABLE;
  lua_pop(L, 2);
  if (is_face) throw ScriptError("L204", "this table is read-only");
}

int push_global(lua_State* L, const char* name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kGlobals);
  lua_pushstring(L, name);
  const int type = lua_rawget(L, -2);
  lua_remove(L, -2);
  return type;
}

std::vector<std::string> global_names(lua_State* L) {
  std::vector<std::string> names;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kGlobals);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) names.emplace_back(view_at(L, -1));
  }
  lua_pop(L, 1);
  return names;
}

int open_sandbox(lua_State* L) {
  // Lua's own, into the table that is replaced below.
  open_standard(L, "_G", &luaopen_base);
  keep_only(L, kBaseFunctions);
  const int globals = lua_gettop(L);
  lua_pushvalue(L, globals);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kGlobals);
  set_functions(L, base_library());
  for (const Library& library : libraries()) {
    if (library.kind == Library::Kind::globals) set_functions(L, library);
  }
  lua_pushliteral(L, "Lua 5.4");
  lua_setfield(L, globals, "_VERSION");

  open_standard(L, "string", &luaopen_string);
  keep_only(L, kStringFunctions);
  set_functions(L, string_library());
  set_string_metatable(L);
  lua_newtable(L);
  set_functions(L, table_library());
  const int table = lua_gettop(L);
  run_prelude(L, table - 1, table);
  add_library(L, globals, "table");
  add_library(L, globals, "string");

  open_standard(L, "math", &luaopen_math);
  add_library(L, globals, "math");
  open_standard(L, "utf8", &luaopen_utf8);
  add_library(L, globals, "utf8");
  for (const Library& library : libraries()) {
    if (library.kind != Library::Kind::table) continue;
    if (library.name == "string" || library.name == "table" || library.name == "math" ||
        library.name == "utf8" || library.name == "state") {
      continue;
    }
    lua_newtable(L);
    set_functions(L, library);
    if (library.name == "json") open_json(L);
    if (library.name == "fhir") add_fhir_constructors(L);
    add_library(L, globals, std::string(library.name).c_str());
  }

  open_state_table(L);
  lua_setfield(L, globals, "state");
  open_lookup(L);
  lua_setfield(L, globals, "lookup");
  open_verdict(L);

  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, globals);
  lua_setfield(L, -2, "_G");
  lua_pop(L, 1);

  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, &guarded<unknown_global>);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, globals);
  lua_pushvalue(L, globals);
  make_face(L, &guarded<write_global>, nullptr);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushliteral(L, "_G");
  lua_insert(L, -2);
  lua_rawset(L, globals);
  return 0;
}

}  // namespace cannula::script
