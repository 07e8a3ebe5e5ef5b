// state: what a channel keeps between messages. Read through the host; writes are seen by the run
// that made them and become durable when it finishes.
#include <string>

#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/registry.h"
#include "engine/script/state_table.h"
#include "engine/script/values.h"

namespace cannula::script {

namespace {

constexpr std::size_t kLongestKey = 256;
constexpr std::size_t kMostWrites = 1000;  // of one run

std::string key_argument(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) {
    throw ScriptError("L223",
                      std::string("a key of state is a string, not a ") + luaL_typename(L, index));
  }
  const std::string_view key = view_at(L, index);
  if (key.empty() || key.size() > kLongestKey) {
    throw ScriptError("L223", "a key of state has 1 to 256 bytes");
  }
  return std::string(key);
}

void push_state(lua_State* L, const std::string& key) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  Session& session = runtime.session();
  const auto own = session.state_writes.find(key);
  const std::optional<std::string> json =
      own != session.state_writes.end() ? own->second
                                        : runtime.host().state(runtime.program().channel, key);
  if (!json) {
    lua_pushnil(L);
    return;
  }
  Machine::of(L).work(L, json->size());
  push_json(L, *json);
}

void write_state(lua_State* L, const std::string& key, int value) {
  Session& session = LuaRuntime::of(L).session();
  std::optional<std::string> json;
  if (!lua_isnoneornil(L, value)) json = state_json(L, value, "state");
  if (session.state_writes.size() >= kMostWrites && !session.state_writes.contains(key)) {
    throw ScriptError("L223", "one message writes at most 1,000 keys of state");
  }
  charge(L, session, key.size() + (json ? json->size() : 0) + 64);
  session.state_writes[key] = std::move(json);
}

int get(lua_State* L) {
  push_state(L, key_argument(L, 1));
  if (lua_isnil(L, -1) && lua_gettop(L) >= 3) lua_pushvalue(L, 2);
  return 1;
}

int set(lua_State* L) {
  const std::string key = key_argument(L, 1);
  write_state(L, key, 2);
  return 0;
}

int index(lua_State* L) {
  const std::string key = key_argument(L, 2);
  if (key == "get") {
    lua_pushcfunction(L, &guarded<get>);
  } else if (key == "set") {
    lua_pushcfunction(L, &guarded<set>);
  } else {
    push_state(L, key);
  }
  return 1;
}

int assign(lua_State* L) {
  const std::string key = key_argument(L, 2);
  if (key == "get" || key == "set") {
    throw ScriptError("L223",
                      "state." + key + " is a function: write state.set(\"" + key + "\", value)");
  }
  write_state(L, key, 3);
  return 0;
}

int refuse_pairs(lua_State*) {
  throw ScriptError("L223", "state cannot be walked: keep what belongs together in one table");
}

constexpr Binding kBindings[] = {
    {"get", "(key: string, default?: any): any",
     "The same as `state[key]`; `default` when there is none.", &guarded<get>},
    {"set", "(key: string, value: any)", "The same as `state[key] = value`.", &guarded<set>},
};

}  // namespace

void open_state_table(lua_State* L) {
  lua_newtable(L);
  lua_createtable(L, 0, 4);
  lua_pushcfunction(L, &guarded<index>);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, &guarded<assign>);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, &guarded<refuse_pairs>);
  lua_setfield(L, -2, "__pairs");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
}

Library state_library() {
  return {"state", Library::Kind::table,
          "What this channel keeps between messages, on disk. `state[\"count\"]` reads a copy; "
          "`state[\"count\"] = value` writes: strings, numbers, booleans, nil, and tables of them "
          "up to "
          "256 KB and 16 levels. A run sees its own writes; others see them when it has finished. "
          "A run "
          "that fails, skips, parks or rejects writes nothing.",
          kBindings};
}

}  // namespace cannula::script
