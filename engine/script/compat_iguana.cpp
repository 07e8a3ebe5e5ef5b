// compat.iguana: the names of Iguana's Translator over Cannula's objects. What its public
// documentation describes and scripts use most; docs/how-to/move-from-iguana.md says what is not.
#include "engine/script/compat.h"

namespace cannula::script {

const std::string_view kCompatIguana = R"lua(
local _, support = ...
local native_hl7, native_json, native_time, native_log = hl7, json, time, log
local compat = { destination = support.destinations[1] }
local current          -- the message under way
local Node = {}        -- methods of nodes

-- A node is a table { native =, kind =, … }; its parts are made when asked for.
--   message: native Message · list: the repetitions of a segment or group · group: native Group
--   segment: native Segment · field, repetition, component, subcomponent: native Node
local data = {}        -- key of a node's own table
local new

local function own(node) return rawget(node, data) end

local function text_of(node)
  local d = own(node)
  if d.kind == "message" then return tostring(d.native) end
  if d.kind == "segment" then return d.native:text() end
  if d.kind == "list" then
    return #node > 0 and text_of(node[1]) or ""
  end
  if d.kind == "group" then
    local lines = {}
    for segment in d.native:each() do lines[#lines + 1] = segment:text() end
    return table.concat(lines, "\r")
  end
  return d.native:text()
end

local function count_of(node)
  local d = own(node)
  if d.kind == "list" then return #d.items end
  if d.kind == "message" then return d.native:count("MSH") end
  if d.kind == "segment" or d.kind == "group" then return 0 end
  if d.kind == "field" and not d.repeats and not d.native:isempty() then
    local count = 0
    for _ in d.native:rep(1):each() do count = count + 1 end
    return count
  end
  local count = 0
  for _ in d.native:each() do count = count + 1 end
  return count
end

local function list_of(items, name)
  return new{ kind = "list", items = items, name = name }
end

-- The segments or groups of that name in a message or group.
local function member_of(node, name)
  local d = own(node)
  if #name ~= 3 then
    local items = {}
    for group in d.native:groups(name) do
      items[#items + 1] = new{ kind = "group", native = group, root = d.root, name = name }
    end
    return list_of(items, name)
  end
  local items = {}
  for segment in d.native:each(name) do
    items[#items + 1] = new{ kind = "segment", native = segment, root = d.root, name = name }
  end
  local repeats = compat.repeats[name]
  if repeats == nil then
    repeats = support.segment_repeats(d.root.version, d.root.structure,
                                      d.kind == "group" and d.name or "", name)
  end
  if repeats then
    return list_of(items, name)
  end
  if items[1] == nil then
    return new{ kind = "segment", native = d.root.message[name], root = d.root, name = name }
  end
  return items[1]
end

local function part_of(node, number)
  local d = own(node)
  if d.kind == "list" then
    local item = d.items[number]
    if item == nil then
      error("there is no " .. d.name .. "[" .. tostring(number) .. "]: the message has " ..
            #d.items, 3)
    end
    return item
  end
  if d.kind == "segment" then
    local repeats = support.field_repeats(d.root.version, d.name, number)
    return new{ kind = "field", native = d.native[number], root = d.root, repeats = repeats,
                name = d.name .. "-" .. number }
  end
  if d.kind == "field" and d.repeats then
    return new{ kind = "repetition", native = d.native:rep(number), root = d.root, name = d.name }
  end
  if d.kind == "field" or d.kind == "repetition" then
    return new{ kind = "component", native = d.native[number], root = d.root,
                name = d.name .. "." .. number }
  end
  if d.kind == "component" then
    return new{ kind = "subcomponent", native = d.native[number], root = d.root,
                name = d.name .. "." .. number }
  end
  error("a " .. d.kind .. " has no part " .. tostring(number), 3)
end

local function is_node(value) return type(value) == "table" and rawget(value, data) ~= nil end

local function plain(value)
  if is_node(value) then return text_of(value) end
  return value
end

-- Copies field by field, so that delimiters keep their meaning.
local function map_tree(to, from)
  local target, source = own(to), own(from)
  if target.kind == "segment" and source.kind == "segment" then
    local count = #source.native:text():gsub("[^|]", "")
    for field = source.name == "MSH" and 3 or 1, count + 1 do
      local value = source.native[tostring(field)]
      for index, part in ipairs(compat.repetitions(source.native[field])) do
        if index > 1 then target.native[field .. "[" .. index .. "]"] = part
        else value = part end
      end
      target.native[tostring(field)] = value
    end
  elseif target.native and target.native.set then
    target.native:set(text_of(from))
  else
    error("mapTree copies segments and fields; write groups segment by segment", 3)
  end
end

function compat.repetitions(native_field)
  local texts = {}
  for repetition in native_field:each() do texts[#texts + 1] = repetition:text() end
  return texts
end

local metatable = {
  __index = function(node, key)
    if Node[key] then return Node[key] end
    if type(key) == "number" then return part_of(node, key) end
    local d = own(node)
    if d.kind == "message" or d.kind == "group" then return member_of(node, key) end
    if d.kind == "list" and type(key) == "string" then return part_of(node, 1)[key] end
    error("a " .. d.kind .. " has no '" .. tostring(key) .. "'", 2)
  end,
  __newindex = function(node, key, value)
    local part = node[key]
    if is_node(value) then return map_tree(part, value) end
    local d = own(part)
    if not d.native or not d.native.set then
      error("a " .. d.kind .. " cannot be assigned a text: write one of its fields", 2)
    end
    if value == nil then value = "" end
    if type(value) == "boolean" then value = tostring(value) end
    d.native:set(value)
  end,
  __tostring = function(node) return text_of(node) end,
  __concat = function(left, right) return tostring(plain(left)) .. tostring(plain(right)) end,
  __len = function(node) return count_of(node) end,
  __eq = function(left, right) return text_of(left) == text_of(right) end,
}

function new(d) return setmetatable({ [data] = d }, metatable) end

local function wrap(message)
  local root = { message = message, version = message["MSH-12.1"] or "2.5.1",
                 structure = message.structure }
  return new{ kind = "message", native = message, root = root, name = message.type }
end

function Node:nodeValue() return text_of(self) end
function Node:S() return text_of(self) end
function Node:nodeText() return text_of(self) end
function Node:setNodeValue(value) own(self).native:set(plain(value)) end
function Node:nodeName() return own(self).name end
function Node:nodeType() return own(self).kind end
function Node:isNull() return text_of(self) == "" end
function Node:isEmpty() return text_of(self) == "" end
function Node:isLeaf()
  local text = text_of(self)
  return own(self).kind == "subcomponent" or not text:find("[%^&~]")
end
function Node:childCount() return count_of(self) end
function Node:child(name, index)
  if type(name) == "number" then return part_of(self, name) end
  local found = self[name]
  return index and found[index] or found
end
function Node:mapTree(from) map_tree(self, from) return self end
function Node:remove(index)
  local d = own(self)
  if d.kind == "list" then
    local item = own(table.remove(d.items, index))
    item.root.message:remove(item.native)
  else
    part_of(self, index)
    own(part_of(self, index)).native:set(nil)
  end
end
-- Cannula's own object, for everything that is not here.
function Node:native() return own(self).native end

compat.repeats = {}

-- hl7 ------------------------------------------------------------------------------------------
local iguana_hl7 = {}
for name, value in pairs(native_hl7) do iguana_hl7[name] = value end

function iguana_hl7.parse(arguments)
  if type(arguments) == "string" then return native_hl7.parse(arguments) end
  local text = plain(arguments.data)
  if type(text) ~= "string" then error("hl7.parse takes data = the text of a message", 2) end
  local message = current and text == current.text and current.message:copy()
                  or native_hl7.parse(text)
  local node = wrap(message)
  return node, (message.type:gsub("%^.*", "")), {}
end
function iguana_hl7.message(arguments)
  local type_name = arguments.type or (arguments.name or ""):match("^%u%u%u%^?%w*$")
  if not type_name then
    error("hl7.message: a vmd is not read here; say type = \"ADT^A08\" besides the name", 2)
  end
  local message = native_hl7.new(type_name)
  return wrap(message)
end

-- Texts ----------------------------------------------------------------------------------------
local strings = support.strings
function strings.split(text, separator)
  local parts, at = {}, 1
  while true do
    local from, to = text:find(separator, at, true)
    if not from then break end
    parts[#parts + 1] = text:sub(at, from - 1)
    at = to + 1
  end
  parts[#parts + 1] = text:sub(at)
  return parts
end
function strings.trimLWS(text) return (text:gsub("^%s+", "")) end
function strings.trimRWS(text) return (text:gsub("%s+$", "")) end
function strings.trimWS(text) return (text:gsub("^%s+", ""):gsub("%s+$", "")) end
function strings.compactWS(text) return (text:gsub("%s+", " ")) end
function strings.capitalize(text) return (text:gsub("^%l", string.upper)) end
function strings.S(text) return text end
function strings.nodeValue(text) return text end

-- json -----------------------------------------------------------------------------------------
local iguana_json = {}
for name, value in pairs(native_json) do iguana_json[name] = value end
function iguana_json.parse(arguments)
  if type(arguments) == "string" then return native_json.parse(arguments) end
  return native_json.parse(plain(arguments.data)):table()
end
function iguana_json.serialize(arguments)
  return native_json.encode(arguments.data, arguments.compact == false and 2 or nil)
end

-- iguana, queue, ack ------------------------------------------------------------------------------
local function line(level)
  return function(text) native_log[level](tostring(plain(text))) end
end
local iguana = {
  logInfo = line("info"), logDebug = line("debug"), logWarning = line("warn"),
  logError = line("error"),
  isTest = function() return false end,
  stopOnError = function() end,
  setTimeout = function() end,
  channelName = function() return support.channel end,
  messageId = function() return current and current.received.id or "" end,
}
local queue = {}
function queue.push(arguments)
  local text = plain(type(arguments) == "table" and rawget(arguments, data) == nil
                     and arguments.data or arguments)
  local destination = type(arguments) == "table" and rawget(arguments, data) == nil
                      and arguments.destination or compat.destination
  if not destination then
    error("queue.push: this channel has no destination; name one in channel.toml", 2)
  end
  if current and text == current.text then
    send(destination, current.received)
  elseif type(text) == "string" and text:sub(1, 3) == "MSH" then
    send(destination, native_hl7.parse(text))
  else
    send(destination, text)
  end
end
local ack = { send = function() end }  -- Cannula answers: `ack` under [source]

-- os -------------------------------------------------------------------------------------------
local months = { "January", "February", "March", "April", "May", "June", "July", "August",
                 "September", "October", "November", "December" }
local days = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }

local function parts_of(seconds, zone)
  local text = native_time.format(seconds, "%Y%m%d%H%M%S", zone)
  local function number(from, to) return tonumber(text:sub(from, to)) end
  local midnight = native_time.parse(text:sub(1, 8), "UTC")
  local new_year = native_time.parse(text:sub(1, 4), "UTC")
  return { year = number(1, 4), month = number(5, 6), day = number(7, 8), hour = number(9, 10),
           min = number(11, 12), sec = number(13, 14), wday = (midnight // 86400 + 4) % 7 + 1,
           yday = (midnight - new_year) // 86400 + 1, isdst = false }
end
local function date(format, seconds, zone)
  format = format or "%c"
  seconds = seconds or native_time.now() // 1
  if format:sub(1, 1) == "!" then format, zone = format:sub(2), "UTC" end
  local p = parts_of(seconds, zone)
  if format:sub(1, 2) == "*t" then return p end
  local function two(number) return ("%02d"):format(number) end
  local formats = {
    Y = function() return ("%04d"):format(p.year) end, m = function() return two(p.month) end,
    d = function() return two(p.day) end, H = function() return two(p.hour) end,
    M = function() return two(p.min) end, S = function() return two(p.sec) end,
    y = function() return two(p.year % 100) end, j = function() return ("%03d"):format(p.yday) end,
    I = function() return two((p.hour + 11) % 12 + 1) end,
    p = function() return p.hour < 12 and "AM" or "PM" end,
    B = function() return months[p.month] end, b = function() return months[p.month]:sub(1, 3) end,
    A = function() return days[p.wday] end, a = function() return days[p.wday]:sub(1, 3) end,
    z = function() return native_time.format(seconds, "%z", zone) end,
    ["%"] = function() return "%" end,
  }
  formats.c = function() return date("%a %b %d %H:%M:%S %Y", seconds, zone) end
  formats.x = function() return date("%m/%d/%y", seconds, zone) end
  formats.X = function() return date("%H:%M:%S", seconds, zone) end
  formats.D, formats.T = formats.x, formats.X
  formats.F = function() return date("%Y-%m-%d", seconds, zone) end
  return (format:gsub("%%(.)", function(letter)
    local make = formats[letter]
    if not make then error("os.date does not know %" .. letter, 2) end
    return make()
  end))
end
local function seconds_of(parts, zone)
  if not parts then return native_time.now() // 1 | 0 end
  return native_time.parse(("%04d%02d%02d%02d%02d%02d"):format(parts.year, parts.month, parts.day,
      parts.hour or 12, parts.min or 0, parts.sec or 0), zone)
end
local ts = {
  time = function(parts) return seconds_of(parts, support.timezone) end,
  gmtime = function(parts) return seconds_of(parts, "UTC") end,
  date = function(format, seconds) return date(format, seconds, support.timezone) end,
  gmdate = function(format, seconds) return date(format, seconds, "UTC") end,
  difftime = function(later, earlier) return later - earlier end,
}
local os = { ts = ts, time = ts.time, date = ts.date, difftime = ts.difftime,
             clock = function() return native_time.now() end }

-- What Cannula does otherwise ------------------------------------------------------------------
local function elsewhere(name, instead)
  return setmetatable({}, { __index = function(_, key)
    return function()
      error(name .. "." .. tostring(key) .. " is not here: " .. instead, 2)
    end
  end })
end

-- main(Data) gets the text of the message, as Iguana gives it.
function compat.main(main, options)
  if options and options.destination then compat.destination = options.destination end
  return function(message)
    current = { message = message, received = message, text = tostring(message) }
    main(current.text)
    current = nil
  end
end
compat.node = wrap

hl7, json = iguana_hl7, iguana_json
_G.iguana, _G.queue, _G.ack, _G.os = iguana, queue, ack, os
_G.trace = function() end
_G.db = elsewhere("db", "look codes up in a table (lookup), keep values in state, or deliver to a database by its API")
_G.net = { http = elsewhere("net.http", "send to a destination of type http"),
           tcp = elsewhere("net.tcp", "send to a destination") }
_G.xml = elsewhere("xml", "JSON and HL7 v2 are read by scripts, and XML is not")
_G.util = elsewhere("util", "hl7.new makes control ids")
return compat
)lua";

}  // namespace cannula::script
