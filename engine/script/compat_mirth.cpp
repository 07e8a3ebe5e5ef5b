// compat.mirth: the names of Mirth Connect's user API over Cannula's objects, for JavaScript that
// is rewritten in Lua line by line. docs/how-to/move-from-mirth.md has the translations.
#include "engine/script/compat.h"

namespace cannula::script {

const std::string_view kCompatMirth = R"lua(
local _, support = ...
local native_json, native_time, native_log = json, time, log
local mirth = {}
local data = {}        -- key of a node's own table
local new

-- E4X over HL7 v2: msg['PID']['PID.5']['PID.5.1'] and, counted from 0, msg['OBX'][1], and
-- msg['PID']['PID.3'][0]. A node is a list of places, as XMLList is; most have one.
--   message: { message } · segments: { items, name, message } · field, component, subcomponent:
--   { native Node, name }
local Node = {}

local function own(node) return rawget(node, data) end
local function is_node(value) return type(value) == "table" and rawget(value, data) ~= nil end

local function text_of(node)
  local d = own(node)
  if d.kind == "message" then return tostring(d.message) end
  if d.kind == "segments" then
    local lines = {}
    for index, segment in ipairs(d.items) do lines[index] = segment:text() end
    return table.concat(lines, "\r")
  end
  return d.native:text()
end

local function plain(value)
  if is_node(value) then return text_of(value) end
  if type(value) == "boolean" then return tostring(value) end
  return value
end

-- "PID.5.1" in a node of PID: { 5, 1 }
local function numbers_of(key, name)
  local segment, rest = key:match("^(%w%w%w)%.([%d%.]+)$")
  if not segment or (name and segment ~= name) then
    error("'" .. key .. "' is not a part of " .. (name or "a message"), 3)
  end
  local numbers = {}
  for number in rest:gmatch("%d+") do numbers[#numbers + 1] = tonumber(number) end
  return numbers
end

local function first_of(d)
  return d.items[1] or d.message[d.name]
end

local function part_of(node, key)
  local d = own(node)
  if d.kind == "message" then
    local items = {}
    for segment in d.message:each(key) do items[#items + 1] = segment end
    return new{ kind = "segments", items = items, name = key, message = d.message }
  end
  if type(key) == "number" then
    if d.kind == "segments" then
      local item = d.items[key + 1]
      if item == nil and key ~= #d.items then
        error("there is no " .. d.name .. "[" .. key .. "]", 3)
      end
      return new{ kind = "segments", items = { item }, name = d.name, message = d.message,
                  beyond = item == nil }
    end
    if d.kind ~= "field" or d.repetition then
      if key == 0 then return node end
      error("only segments and fields repeat: " .. d.name, 3)
    end
    return new{ kind = "field", native = d.native:rep(key + 1), name = d.name, field = d.field,
                segment = d.segment, repetition = key + 1 }
  end
  local numbers = numbers_of(key, d.segment or d.name)
  if d.kind == "segments" then
    local segment = first_of(d)
    if d.beyond then segment = d.message:add(d.name) d.items[1], d.beyond = segment, false end
    local at = segment[numbers[1]]
    for level = 2, #numbers do at = at[numbers[level]] end
    return new{ kind = #numbers == 1 and "field" or "component", native = at, name = key,
                segment = d.name, field = numbers[1], depth = #numbers }
  end
  -- PID.5.1 below PID.5, PID.5.1.1 below PID.5.1
  local depth = d.depth or 1
  local at = d.native
  for level = depth + 1, #numbers do at = at[numbers[level]] end
  return new{ kind = "component", native = at, name = key, segment = d.segment, field = d.field,
              depth = #numbers }
end

local metatable = {
  __index = function(node, key)
    if Node[key] then return Node[key] end
    return part_of(node, key)
  end,
  __newindex = function(node, key, value)
    local part = part_of(node, key)
    local d = own(part)
    value = plain(value)
    if value == nil then value = "" end
    if d.kind == "segments" then
      error("a segment cannot be assigned a text: write its fields, or createSegment", 2)
    end
    d.native:set(value)
  end,
  __tostring = function(node) return text_of(node) end,
  __concat = function(left, right) return tostring(plain(left)) .. tostring(plain(right)) end,
  __len = function(node) return node:length() end,
  __eq = function(left, right) return text_of(left) == text_of(right) end,
}
function new(d) return setmetatable({ [data] = d }, metatable) end

function Node:toString() return text_of(self) end
function Node:text() return text_of(self) end
function Node:name() return own(self).name end
function Node:localName() return own(self).name end
function Node:length()
  local d = own(self)
  if d.kind == "segments" then return #d.items end
  if d.kind == "message" then return 1 end
  if d.native:isempty() then return 0 end
  if d.kind ~= "field" or d.repetition then return 1 end
  local count = 0
  for _ in d.native:each() do count = count + 1 end
  return count
end
function Node:hasOwnProperty(key) return part_of(self, key):length() > 0 end
function Node:children()
  local d = own(self)
  local list = {}
  if d.kind == "message" then
    for segment in d.message:each() do
      list[#list + 1] = new{ kind = "segments", items = { segment }, name = segment.name,
                             message = d.message }
    end
  elseif d.kind == "segments" then
    for index = 1, #d.items do list[index] = part_of(self, index - 1) end
  else
    for part in d.native:each() do
      list[#list + 1] = new{ kind = d.kind, native = part, name = d.name, segment = d.segment,
                             field = d.field, depth = d.depth, repetition = d.repetition }
    end
  end
  return list
end
-- Cannula's own object, for everything that is not here.
function Node:native() local d = own(self) return d.message or d.native end

-- for each (x in list): for x in mirth.each(list)
function mirth.each(list)
  local items = is_node(list) and list:children() or list
  local d = is_node(list) and own(list)
  if d and (d.kind == "field" and not d.repetition) then
    items = {}
    for index = 0, list:length() - 1 do items[index + 1] = part_of(list, index) end
  end
  local at = 0
  return function() at = at + 1 return items[at] end
end

function mirth.wrap(message) return new{ kind = "message", message = message } end

-- delete msg['NK1'], delete msg['PID']['PID.19']
function mirth.delete(node)
  local d = own(node)
  if d.kind == "segments" then
    for _, segment in ipairs(d.items) do d.message:remove(segment) end
    d.items = {}
  elseif d.kind == "message" then
    error("a message cannot be deleted", 2)
  else
    d.native:set(nil)
  end
end

-- Segments -------------------------------------------------------------------------------------
local function as_message(node) return own(node).message end

function mirth.createSegment(name, message)
  local native = as_message(message)
  return new{ kind = "segments", items = { native:add(name) }, name = name, message = native }
end
function mirth.createSegmentAfter(name, segment)
  local d = own(segment)
  local added = d.message:add(name, { after = d.items[#d.items] })
  return new{ kind = "segments", items = { added }, name = name, message = d.message }
end
mirth.SegmentUtil = { createSegment = mirth.createSegment,
                      createSegmentAfter = mirth.createSegmentAfter }

-- getSegmentsAfter(msg, startSegment, nameOfSegments, undoLoop, [stopBefore…])
function mirth.getSegmentsAfter(message, start, name, through, ...)
  local stop = {}
  for _, each_name in ipairs{ ... } do stop[each_name] = true end
  local from, found, list = own(start).items[1], false, {}
  local native = as_message(message)
  local text, position = from:text(), 0
  for segment in native:each() do
    if found then
      if stop[segment.name] then break end
      if segment.name == name then
        list[#list + 1] = new{ kind = "segments", items = { segment }, name = name,
                               message = native }
      elseif not through then
        break
      end
    elseif segment:text() == text then
      found = true
    end
    position = position + 1
  end
  return list
end

-- Maps -----------------------------------------------------------------------------------------
-- map.put(key, value) and map:put(key, value) are the same.
local function map_of(get, put, clear)
  local map = {}
  local function arguments(first, ...)
    if first == map then return ... end
    return first, ...
  end
  function map.put(...) local key, value = arguments(...) put(tostring(key), plain(value)) end
  function map.get(...) return get(tostring((arguments(...)))) end
  function map.containsKey(...) return get(tostring((arguments(...)))) ~= nil end
  function map.remove(...) put(tostring((arguments(...))), nil) end
  map.clear = clear
  return map
end
local function map_of_a_message()
  local values = {}
  return map_of(function(key) return values[key] end,
                function(key, value) values[key] = value end,
                function() values = {} end)
end
local function map_of_the_channel(prefix)
  return map_of(function(key) return state[prefix .. key] end,
                function(key, value) state[prefix .. key] = value end,
                function() error(prefix .. "clear() is not here: remove the keys", 2) end)
end
mirth.channelMap = map_of_a_message()
mirth.connectorMap = map_of_a_message()
mirth.sourceMap = map_of_a_message()
mirth.responseMap = map_of_a_message()
mirth.globalChannelMap = map_of_the_channel("globalChannelMap.")
mirth.globalMap = map_of_the_channel("globalMap.")

-- $('key'): what the first of the maps has that has it.
function mirth.lookup(key)
  for _, map in ipairs{ mirth.responseMap, mirth.connectorMap, mirth.channelMap, mirth.sourceMap,
                        mirth.globalChannelMap, mirth.globalMap } do
    local value = map.get(key)
    if value ~= nil then return value end
  end
  return ""
end
mirth["$"] = mirth.lookup

-- Log ------------------------------------------------------------------------------------------
local function line(level)
  return function(first, second)
    native_log[level](tostring(plain(first == mirth.logger and second or first)))
  end
end
mirth.logger = { info = line("info"), debug = line("debug"), warn = line("warn"),
                 error = line("error"), trace = line("debug") }

-- Values ---------------------------------------------------------------------------------------
-- validate(mapping, default, { { 'from', 'to' }, … })
function mirth.validate(mapping, default, replacement)
  local value = plain(mapping)
  if value == nil or value == "" then value = plain(default) end
  if value == nil then value = "" end
  if type(value) == "string" and type(replacement) == "table" then
    for _, pair in ipairs(replacement) do value = value:gsub(pair[1], (pair[2]:gsub("%%", "%%%%"))) end
  end
  return value
end

-- DateUtil: patterns of Java's SimpleDateFormat. A date is a number of seconds since 1970.
local widths = { yyyy = 4, yy = 2, MM = 2, dd = 2, HH = 2, mm = 2, ss = 2, SSS = 3 }
local function tokens_of(pattern)
  local tokens, at = {}, 1
  while at <= #pattern do
    local letter = pattern:sub(at, at)
    if letter == "'" then
      local close = pattern:find("'", at + 1, true) or #pattern
      tokens[#tokens + 1] = { text = close == at + 1 and "'" or pattern:sub(at + 1, close - 1) }
      at = close + 1
    elseif letter:find("%a") then
      local run = pattern:match("^" .. letter .. "+", at)
      if not (widths[run] or letter == "Z" or letter == "X") then
        error("DateUtil does not know '" .. run .. "' in the pattern '" .. pattern .. "'", 3)
      end
      tokens[#tokens + 1] = { part = (letter == "Z" or letter == "X") and "zone" or run }
      at = at + #run
    else
      tokens[#tokens + 1] = { text = letter }
      at = at + 1
    end
  end
  return tokens
end

local DateUtil = {}
function DateUtil.getDate(pattern, text)
  text = tostring(plain(text))
  local found = { yyyy = "1970", MM = "01", dd = "01", HH = "00", mm = "00", ss = "00" }
  local at, fraction, zone = 1, "", nil
  for _, token in ipairs(tokens_of(pattern)) do
    local part
    if token.text then
      part = text:sub(at, at + #token.text - 1)
      if part ~= token.text then part = nil end
    elseif token.part == "zone" then
      part = text:match("^[%+%-]%d%d:?%d%d", at) or text:match("^Z", at)
      zone = part and (part == "Z" and "+0000" or (part:gsub(":", "")))
    else
      part = text:match("^" .. ("%d"):rep(widths[token.part]), at)
      if token.part == "SSS" then fraction = part and "." .. part or ""
      elseif token.part == "yy" then found.yyyy = part and "20" .. part
      else found[token.part] = part end
    end
    if not part then
      error("'" .. text .. "' is no date of the pattern '" .. pattern .. "'", 2)
    end
    at = at + #part
  end
  local seconds, why = native_time.parse(found.yyyy .. found.MM .. found.dd .. found.HH ..
                                         found.mm .. found.ss .. fraction .. (zone or ""),
                                         support.timezone)
  if not seconds then error(why, 2) end
  return seconds
end
function DateUtil.formatDate(pattern, date)
  local codes = { yyyy = "%Y", MM = "%m", dd = "%d", HH = "%H", mm = "%M", ss = "%S", SSS = "%L",
                  zone = "%z" }
  local parts = {}
  for _, token in ipairs(tokens_of(pattern)) do
    if token.text then parts[#parts + 1] = token.text
    elseif token.part == "yy" then
      parts[#parts + 1] = native_time.format(date, "%Y", support.timezone):sub(3)
    else
      parts[#parts + 1] = native_time.format(date, codes[token.part], support.timezone)
    end
  end
  return table.concat(parts)
end
function DateUtil.convertDate(from, to, text)
  return DateUtil.formatDate(to, DateUtil.getDate(from, text))
end
function DateUtil.getCurrentDate(pattern)
  return DateUtil.formatDate(pattern, native_time.now())
end
mirth.DateUtil = DateUtil

mirth.JSON = { parse = function(text) return native_json.parse(plain(text)):table() end,
               stringify = function(value) return native_json.encode(value) end }

-- Where a message goes ---------------------------------------------------------------------------
mirth.router = {}
function mirth.router.routeMessage(first, second, third)
  local channel, text = first, second
  if first == mirth.router then channel, text = second, third end
  if is_node(text) then text = as_message(text) end
  send(channel, text)
end

local removed = {}
mirth.destinationSet = {
  remove = function(name) removed[name] = true end,
  removeAllExcept = function(name)
    for _, each_name in ipairs(support.destinations) do removed[each_name] = each_name ~= name end
  end,
  removeAll = function()
    for _, each_name in ipairs(support.destinations) do removed[each_name] = true end
  end,
}

local function begin(message)
  mirth.channelMap.clear()
  mirth.connectorMap.clear()
  mirth.sourceMap.clear()
  mirth.responseMap.clear()
  removed = {}
  return mirth.wrap(message)
end

-- The filter and transformer of a channel as main. `template` is the outbound template of tmp, a
-- message; where there is one, tmp is sent, else msg. `destinations`: names, all unless given.
function mirth.channel(parts)
  local destinations = parts.destinations or support.destinations
  return function(message)
    local msg = begin(message)
    if parts.filter and not parts.filter(msg) then return skip("the filter said no") end
    local tmp = parts.template and mirth.wrap(hl7.parse((parts.template:gsub("\r?\n", "\r"))))
    if parts.transformer then parts.transformer(msg, tmp) end
    for _, name in ipairs(destinations) do
      if not removed[name] then send(name, as_message(tmp or msg)) end
    end
  end
end

return mirth
)lua";

}  // namespace cannula::script
