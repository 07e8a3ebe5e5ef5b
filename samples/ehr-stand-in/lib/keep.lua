-- What the server keeps, in the channel's state, one key for each thing:
--
--   "Patient"                         how many there are; they are numbered from 1
--   "Patient/12"                      {version, text}: the resource as JSON
--   "Patient?system|value"            the ids that have this identifier, of which there should be one
local keep = {}

keep.types = { Patient = true, Encounter = true, Observation = true, DiagnosticReport = true,
               DocumentReference = true }

-- The value of a search in a URL, and back.
function keep.encode(text)
  text = text:gsub("[%%+&#]", function(character) return string.format("%%%02X", character:byte()) end)
  return text
end

function keep.decode(text)
  text = text:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
  return text
end

function keep.count(kind)
  return state[kind] or 0
end

-- The resource's JSON text and its version; nil when there is none.
function keep.read(kind, id)
  local kept = state[kind .. "/" .. id]
  if kept then return kept.text, kept.version end
end

-- An identifier as a search has it, without the backslashes before what divides searches (R4, 3.1.1.5.7).
function keep.plain(searched)
  return (searched:gsub("\\(.)", "%1"))
end

-- The ids of a kind that have the identifier "system|value".
function keep.search(kind, identifier)
  return state[kind .. "?" .. identifier] or {}
end

-- Some of all ids of a kind, from that offset on, and how many there are.
function keep.page(kind, offset, count)
  local ids = {}
  for number = offset + 1, math.min(offset + count, keep.count(kind)) do ids[#ids + 1] = tostring(number) end
  return ids, keep.count(kind)
end

local function identifiers(document)
  local found = {}
  for identifier in document:each("identifier") do
    found[#found + 1] = (identifier:get("system") or "") .. "|" .. (identifier:get("value") or "")
  end
  return found
end

local function without(ids, id)
  local left = {}
  for _, other in ipairs(ids) do
    if other ~= id then left[#left + 1] = other end
  end
  return left
end

-- Writes a resource under an id, as the next version. Returns the version.
function keep.write(kind, id, document)
  local before = state[kind .. "/" .. id]
  if before then
    for _, identifier in ipairs(identifiers(json.parse(before.text))) do
      local place = kind .. "?" .. identifier
      state[place] = without(state[place] or {}, id)
    end
  elseif tonumber(id) and tonumber(id) > keep.count(kind) then
    state[kind] = tonumber(id)
  end
  local version = (before and before.version or 0) + 1
  document["id"] = id
  document["meta.versionId"] = tostring(version)
  document["meta.lastUpdated"] = fhir.instant(time.now())
  state[kind .. "/" .. id] = { version = version, text = document:encode() }
  for _, identifier in ipairs(identifiers(document)) do
    local place = kind .. "?" .. identifier
    local ids = without(state[place] or {}, id)
    ids[#ids + 1] = id
    state[place] = ids
    if #ids > 1 then state["doubled"] = (state["doubled"] or 0) + 1 end
  end
  return version
end

return keep
