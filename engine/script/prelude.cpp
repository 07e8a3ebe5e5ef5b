#include "engine/script/prelude.h"

#include <stdexcept>

#include "engine/script/string_library.h"

namespace cannula::script {

namespace {

const char kGsubKey = 0;

constexpr std::string_view kText = R"lua(
local next_match, sub, concat, type, error, rawlen, select = ...

-- A merge sort: stable, at most n log n comparisons whatever the comparison function answers, and
-- the table changes only when all comparisons are done.
local function sort(list, less)
  if type(list) ~= "table" then
    error("bad argument #1 to 'sort' (table expected, got " .. type(list) .. ")", 2)
  end
  if less ~= nil and type(less) ~= "function" then
    error("bad argument #2 to 'sort' (function expected, got " .. type(less) .. ")", 2)
  end
  local count = rawlen(list)
  local from, to = {}, {}
  for start = 1, count, 8 do
    local last = start + 7
    if last > count then last = count end
    for place = start, last do
      local value, at = list[place], place - 1
      if less then
        while at >= start and less(value, from[at]) do from[at + 1] = from[at]; at = at - 1 end
      else
        while at >= start and value < from[at] do from[at + 1] = from[at]; at = at - 1 end
      end
      from[at + 1] = value
    end
  end
  local width = 8
  while width < count do
    for start = 1, count, 2 * width do
      local left, right = start, start + width
      local middle, last = right, start + 2 * width
      if middle > count + 1 then middle, right = count + 1, count + 1 end
      if last > count + 1 then last = count + 1 end
      for place = start, last - 1 do
        local take_right
        if left >= middle then take_right = true
        elseif right >= last then take_right = false
        elseif less then take_right = less(from[right], from[left])
        else take_right = from[right] < from[left] end
        if take_right then
          to[place] = from[right]; right = right + 1
        else
          to[place] = from[left]; left = left + 1
        end
      end
    end
    from, to = to, from
    width = 2 * width
  end
  for place = 1, count do list[place] = from[place] end
end

local function replacement(whole, value)
  if not value then return whole end
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    error("invalid replacement value (a " .. kind .. ")", 4)
  end
  return value
end

-- string.gsub where the replacement is a function, or a table with a metatable.
local function gsub(text, pattern, replace, most)
  local call = type(replace) == "function"
  local pieces, size, count, at, last = {}, 0, 0, 1, 0
  local function one(from, to, ...)
    if not from then return false end
    local whole = sub(text, from, to - 1)
    local value
    if call then value = replace(...) else value = replace[(...)] end
    pieces[size + 1] = sub(text, at, from - 1)
    pieces[size + 2] = replacement(whole, value)
    size, count, at, last = size + 2, count + 1, to, to
    return true
  end
  while count < most do
    if not one(next_match(text, pattern, at, last)) then break end
    if sub(pattern, 1, 1) == "^" then break end
  end
  pieces[size + 1] = sub(text, at)
  return concat(pieces), count
end

return sort, gsub
)lua";

}  // namespace

void run_prelude(lua_State* L, int string, int table) {
  if (luaL_loadbufferx(L, kText.data(), kText.size(), kPreludeName, "t") != LUA_OK) {
    throw std::logic_error(std::string(view_at(L, -1)));
  }
  lua_pushcfunction(L, &guarded<next_match>);
  lua_getfield(L, string, "sub");
  lua_getfield(L, table, "concat");
  for (const char* name : {"type", "error", "rawlen", "select"}) lua_getfield(L, string - 1, name);
  lua_call(L, 7, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kGsubKey);
  lua_setfield(L, table, "sort");
}

void push_gsub_with_function(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kGsubKey);
}

}  // namespace cannula::script
