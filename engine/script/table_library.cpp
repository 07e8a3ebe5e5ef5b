// table.*: on raw lengths and raw elements, so that no metamethod can make a loop endless, and with
// every loop counted. sort is in prelude.cpp.
#include <limits>

#include "engine/script/lua_api.h"
#include "engine/script/machine.h"
#include "engine/script/registry.h"
#include "engine/script/sandbox.h"

namespace cannula::script {

namespace {

lua_Integer raw_size(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  push_behind_protection(L, index);
  lua_replace(L, index);
  return static_cast<lua_Integer>(lua_rawlen(L, index));
}

void check_writable(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  refuse_protected(L, index);
}

int concat(lua_State* L) {
  const lua_Integer size = raw_size(L, 1);
  const std::string_view separator = lua_isnoneornil(L, 2) ? "" : string_argument(L, 2);
  lua_Integer at = luaL_optinteger(L, 3, 1);
  const lua_Integer last = luaL_optinteger(L, 4, size);
  Machine& machine = Machine::of(L);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (; at <= last; ++at) {
    machine.work(L, 2);
    lua_rawgeti(L, 1, at);
    if (lua_isstring(L, -1) == 0) {
      return luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
                        luaL_typename(L, -1), static_cast<LUAI_UACINT>(at));
    }
    luaL_addvalue(&out);
    if (at == last) break;
    luaL_addlstring(&out, separator.data(), separator.size());
  }
  luaL_pushresult(&out);
  return 1;
}

int insert(lua_State* L) {
  check_writable(L, 1);
  const lua_Integer end = static_cast<lua_Integer>(lua_rawlen(L, 1)) + 1;
  switch (lua_gettop(L)) {
    case 2:
      break;
    case 3: {
      const lua_Integer place = luaL_checkinteger(L, 2);
      luaL_argcheck(L, place >= 1 && place <= end, 2, "position out of bounds");
      Machine& machine = Machine::of(L);
      for (lua_Integer at = end; at > place; --at) {
        machine.work(L, 2);
        lua_rawgeti(L, 1, at - 1);
        lua_rawseti(L, 1, at);
      }
      lua_rawseti(L, 1, place);
      return 0;
    }
    default:
      return luaL_error(L, "wrong number of arguments to 'insert'");
  }
  lua_rawseti(L, 1, end);
  return 0;
}

int remove(lua_State* L) {
  check_writable(L, 1);
  const lua_Integer size = static_cast<lua_Integer>(lua_rawlen(L, 1));
  lua_Integer place = luaL_optinteger(L, 2, size);
  if (place != size) {
    luaL_argcheck(L, static_cast<lua_Unsigned>(place) - 1 <= static_cast<lua_Unsigned>(size), 2,
                  "position out of bounds");
  }
  Machine& machine = Machine::of(L);
  lua_rawgeti(L, 1, place);
  for (; place < size; ++place) {
    machine.work(L, 2);
    lua_rawgeti(L, 1, place + 1);
    lua_rawseti(L, 1, place);
  }
  lua_pushnil(L);
  lua_rawseti(L, 1, place);
  return 1;
}

int move(lua_State* L) {
  constexpr lua_Integer kHighest = std::numeric_limits<lua_Integer>::max();
  raw_size(L, 1);
  const lua_Integer from = luaL_checkinteger(L, 2);
  const lua_Integer last = luaL_checkinteger(L, 3);
  const lua_Integer to = luaL_checkinteger(L, 4);
  const int target = lua_isnoneornil(L, 5) ? 1 : 5;
  check_writable(L, target);
  if (last >= from) {
    luaL_argcheck(L, from > 0 || last < kHighest + from, 3, "too many elements to move");
    const lua_Integer count = last - from + 1;
    luaL_argcheck(L, to <= kHighest - count + 1, 4, "destination wrap around");
    Machine& machine = Machine::of(L);
    const bool forward = to > last || to <= from || target == 5;
    for (lua_Integer step = 0; step < count; ++step) {
      machine.work(L, 2);
      const lua_Integer at = forward ? step : count - 1 - step;
      lua_rawgeti(L, 1, from + at);
      lua_rawseti(L, target, to + at);
    }
  }
  lua_pushvalue(L, target);
  return 1;
}

int unpack(lua_State* L) {
  const lua_Integer size = raw_size(L, 1);
  const lua_Integer from = luaL_optinteger(L, 2, 1);
  const lua_Integer last = luaL_optinteger(L, 3, size);
  if (from > last) return 0;
  const auto count = static_cast<lua_Unsigned>(last) - static_cast<lua_Unsigned>(from) + 1;
  if (count == 0 || count > 200'000 || lua_checkstack(L, static_cast<int>(count)) == 0) {
    return luaL_error(L, "too many results to unpack");
  }
  Machine::of(L).work(L, count);
  for (lua_Unsigned at = 0; at < count; ++at) {
    lua_rawgeti(L, 1, from + static_cast<lua_Integer>(at));
  }
  return static_cast<int>(count);
}

int pack(lua_State* L) {
  const int count = lua_gettop(L);
  lua_createtable(L, count, 1);
  lua_insert(L, 1);
  for (int at = count; at >= 1; --at) lua_rawseti(L, 1, at);
  lua_pushinteger(L, count);
  lua_setfield(L, 1, "n");
  return 1;
}

constexpr Binding kBindings[] = {
    {"concat", "(list: table, separator?: string, i?: integer, j?: integer): string",
     "As in Lua, on the table's own elements.", &guarded<concat>},
    {"insert", "(list: table, position?: integer, value: any)",
     "As in Lua, on the table's own elements.", &guarded<insert>},
    {"move", "(from: table, first: integer, last: integer, to: integer, target?: table): table",
     "As in Lua, on the tables' own elements.", &guarded<move>},
    {"pack", "(...): table", "As in Lua.", &guarded<pack>},
    {"remove", "(list: table, position?: integer): any", "As in Lua, on the table's own elements.",
     &guarded<remove>},
    {"sort", "(list: table, less?: fun(a: any, b: any): boolean)",
     "Sorts in place. The order of equal elements stays; no order function makes it fail."},
    {"unpack", "(list: table, i?: integer, j?: integer): any",
     "As in Lua, on the table's own elements, at most 200,000.", &guarded<unpack>},
};

}  // namespace

Library table_library() {
  return {
      "table", Library::Kind::table,
      "Metamethods such as `__len` and `__index` are not asked: the functions see what the table "
      "itself holds.",
      kBindings, true};
}

}  // namespace cannula::script
