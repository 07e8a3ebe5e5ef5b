// coroutine.*: as Lua's, but a slice that ends inside a script's own coroutine suspends the whole
// message, through as many coroutines as there are, and goes on in the same place.
#include "engine/script/lua_api.h"
#include "engine/script/machine.h"
#include "engine/script/registry.h"

namespace cannula::script {

namespace {

constexpr lua_KContext kResume = 0;
constexpr lua_KContext kWrap = 1;

lua_State* coroutine_argument(lua_State* L) {
  lua_State* coroutine = lua_tothread(L, 1);
  luaL_argexpected(L, coroutine != nullptr, 1, "coroutine");
  return coroutine;
}

const char* status_of(lua_State* L, lua_State* coroutine) {
  if (L == coroutine) return "running";
  if (Machine::of(L).is_sliced(coroutine)) return "normal";
  switch (lua_status(coroutine)) {
    case LUA_YIELD:
      return "suspended";
    case LUA_OK: {
      lua_Debug frame;
      if (lua_getstack(coroutine, 0, &frame) != 0) return "normal";
      return lua_gettop(coroutine) == 0 ? "dead" : "suspended";
    }
    default:
      return "dead";
  }
}

int after_slice(lua_State* L, int status, lua_KContext kind);

// Fails with the error on top of L; else the values the coroutine gave are on top of it. -1 =
// failed.
int go_on(lua_State* L, lua_State* coroutine, int arguments, bool* suspend) {
  Machine& machine = Machine::of(L);
  int results = 0;
  const int status = machine.resume_inner(L, coroutine, arguments, &results, suspend);
  if (*suspend) return 0;
  if (machine.stopped() != Machine::Stop::none) machine.throw_stop(L);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(coroutine, L, 1);
    return -1;
  }
  if (lua_checkstack(L, results + 1) == 0) {
    lua_pop(coroutine, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(coroutine, L, results);
  return results;
}

// The error of a wrapped coroutine goes on in its caller, with its place, as in Lua.
int fail_wrapped(lua_State* L, lua_State* coroutine) {
  Machine& machine = Machine::of(L);
  const int status = lua_status(coroutine);
  if (status != LUA_OK && status != LUA_YIELD) {
    if (machine.close_inner(L, coroutine) != LUA_OK) {
      lua_xmove(coroutine, L, 1);
      lua_remove(L, -2);
    }
    if (machine.stopped() != Machine::Stop::none) machine.throw_stop(L);
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

int resume_and_answer(lua_State* L, lua_State* coroutine, int arguments, lua_KContext kind) {
  bool suspend = false;
  const int results = go_on(L, coroutine, arguments, &suspend);
  if (suspend) return lua_yieldk(L, 0, kind, &guarded_continuation<after_slice>);
  if (kind == kWrap) return results < 0 ? fail_wrapped(L, coroutine) : results;
  lua_pushboolean(L, results >= 0);
  const int count = results < 0 ? 1 : results;
  lua_insert(L, -(count + 1));
  return count + 1;
}

int after_slice(lua_State* L, int, lua_KContext kind) {
  lua_State* coroutine = kind == kWrap ? lua_tothread(L, lua_upvalueindex(1)) : lua_tothread(L, 1);
  Machine::of(L).forget_sliced(coroutine);
  return resume_and_answer(L, coroutine, 0, kind);
}

int start(lua_State* L, lua_State* coroutine, int arguments, lua_KContext kind) {
  if (Machine::of(L).is_sliced(coroutine)) {
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    if (kind == kWrap) return fail_wrapped(L, coroutine);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  if (lua_checkstack(coroutine, arguments) == 0) {
    return luaL_error(L, "too many arguments to resume");
  }
  lua_xmove(L, coroutine, arguments);
  return resume_and_answer(L, coroutine, arguments, kind);
}

int resume(lua_State* L) {
  lua_State* coroutine = coroutine_argument(L);
  return start(L, coroutine, lua_gettop(L) - 1, kResume);
}

int call_wrapped(lua_State* L) {
  return start(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L), kWrap);
}

int create(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State* coroutine = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, coroutine, 1);
  return 1;
}

int wrap(lua_State* L) {
  create(L);
  lua_pushcclosure(L, &guarded<call_wrapped>, 1);
  return 1;
}

int yield(lua_State* L) {
  if (Machine::of(L).is_outermost(L)) {
    return luaL_error(L, "attempt to yield from outside a coroutine");
  }
  return lua_yield(L, lua_gettop(L));
}

int is_yieldable(lua_State* L) {
  lua_State* coroutine = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
  lua_pushboolean(L, !Machine::of(L).is_outermost(coroutine) && lua_isyieldable(coroutine) != 0);
  return 1;
}

int running(lua_State* L) {
  const bool main = Machine::of(L).is_outermost(L);
  lua_pushthread(L);
  lua_pushboolean(L, main);
  return 2;
}

int status(lua_State* L) {
  lua_pushstring(L, status_of(L, coroutine_argument(L)));
  return 1;
}

int close(lua_State* L) {
  lua_State* coroutine = coroutine_argument(L);
  Machine& machine = Machine::of(L);
  const std::string_view found = status_of(L, coroutine);
  if (found != "dead" && found != "suspended") {
    return luaL_error(L, "cannot close a %s coroutine", found.data());
  }
  if (machine.close_inner(L, coroutine) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (machine.stopped() != Machine::Stop::none) machine.throw_stop(L);
  lua_pushboolean(L, 0);
  lua_xmove(coroutine, L, 1);
  return 2;
}

constexpr Binding kBindings[] = {
    {"close", "(co: thread): boolean, any", "As in Lua.", &guarded<close>},
    {"create", "(f: function): thread", "As in Lua.", &guarded<create>},
    {"isyieldable", "(co?: thread): boolean", "As in Lua.", &guarded<is_yieldable>},
    {"resume", "(co: thread, ...): boolean, any", "As in Lua, with the exceptions of `pcall`.",
     &guarded<resume>},
    {"running", "(): thread, boolean", "As in Lua.", &guarded<running>},
    {"status", "(co: thread): string", "As in Lua.", &guarded<status>},
    {"wrap", "(f: function): function", "As in Lua, with the exceptions of `pcall`.",
     &guarded<wrap>},
    {"yield", "(...): any", "As in Lua; only inside a coroutine of the script.", &guarded<yield>},
};

}  // namespace

Library coroutine_library() {
  return {"coroutine", Library::Kind::table,
          "Coroutines count against the limits of the message that runs them.", kBindings, true};
}

}  // namespace cannula::script
