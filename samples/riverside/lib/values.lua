-- The values of results: from OBX-2 and OBX-5 to an Observation's value[x], as exactly as they were written.
local values = {}

local UCUM = "http://unitsofmeasure.org"
local COMPARATORS = { ["<"] = "<", ["<="] = "<=", [">"] = ">", [">="] = ">=" }
local CODED = { CE = true, CWE = true, CNE = true, CF = true }
local MOMENTS = { DT = true, TS = true, DTM = true }

-- A number as JSON writes it: no plus sign, no leading zeros, digits on both sides of the point. nil when it is none.
local function decimal(text)
  local sign, whole, fraction = (text or ""):match("^%s*([+-]?)(%d*)%.?(%d*)%s*$")
  if not sign or whole .. fraction == "" then return nil end
  whole = whole:match("^0*(%d+)$") or "0"
  return (sign == "-" and "-" or "") .. whole .. (fraction ~= "" and "." .. fraction or "")
end

-- "<5", ">= 100", "7.1": the number and its comparator; nil when the text is something else.
local function compared(text)
  local comparator, rest = text:match("^%s*([<>]=?)(.*)$")
  return decimal(rest or text), comparator
end

-- A quantity in the unit of OBX-6; with a code only where the unit is known to be one of UCUM's.
local function quantity(obx, number, comparator)
  local in_ucum = obx["6.3"] == "UCUM"
  return {
    value = number,
    comparator = comparator,
    unit = obx["6.4"] or obx["6.1"],
    system = in_ucum and UCUM or nil,
    code = in_ucum and obx["6.1"] or nil,
  }
end

-- Formatted text as plain text: line breaks where it breaks lines, no highlighting (HL7 v2.5.1, 2.7.1 and 2.7.7).
local function plain(text)
  if not text:find("\\", 1, true) then return text end
  text = text:gsub("\\%.br\\", "\n"):gsub("\\%.sp%+?%d*\\", "\n"):gsub("\\%.[%w+%-]+\\", " "):gsub("\\[HN]\\", "")
  return text
end

-- All repetitions of a field as lines of text; nil when there is nothing to read.
function values.text(field)
  local lines = {}
  for repetition in field:each() do
    lines[#lines + 1] = plain(repetition:text())
  end
  local text = table.concat(lines, "\n")
  return text:find("%S") and text or nil
end

-- Structured numeric: comparator ^ number ^ separator ^ number.
local function structured(obx)
  local first, separator, second = decimal(obx["5.2"]), obx["5.3"], decimal(obx["5.4"])
  local comparator = COMPARATORS[obx["5.1"]]
  if first and not separator then
    return { valueQuantity = quantity(obx, first, comparator) }
  elseif first and second and separator == "-" then
    return { valueRange = { low = quantity(obx, first), high = quantity(obx, second) } }
  elseif first and second and (separator == ":" or separator == "/") then
    return { valueRatio = { numerator = { value = first, comparator = comparator }, denominator = { value = second } } }
  end
  local text = (obx["5.1"] or "") .. (obx["5.2"] or "") .. (separator or "") .. (obx["5.4"] or "")
  return { valueString = text ~= "" and text or nil }
end

-- The value[x] of an OBX, {} when it carries none; and, in words, what is doubtful about it.
function values.of(obx)
  local kind = obx["2"]
  local text = values.text(obx[5])
  if obx:isnull("5") or not text then return {} end
  if kind == "SN" then return structured(obx) end
  if CODED[kind] then return { valueCodeableConcept = fhir.concept(obx[5]) } end
  if MOMENTS[kind] then
    local moment = fhir.datetime(obx["5.1"])
    return moment and { valueDateTime = moment } or { valueString = text }
  end

  -- Numbers come as NM, and with a unit also as text or with an OBX-2 that is missing or nobody knows.
  local number, comparator = compared(text)
  if number and (kind == "NM" or obx["6.1"]) then return { valueQuantity = quantity(obx, number, comparator) } end
  return { valueString = text }, kind == "NM" and "'" .. text .. "' is sent as a number and is none" or nil
end

-- "3.5-5.1", "<5", ">=60" as limits, anything else as text.
function values.reference_range(obx)
  local text = obx["7"]
  if not text then return nil end
  local range = { text = text }
  local low, high = text:match("^%s*(-?[%d.]+)%s*%-%s*(-?[%d.]+)%s*$")
  low, high = decimal(low), decimal(high)
  if low and high then
    range.low, range.high = quantity(obx, low), quantity(obx, high)
  else
    local number, comparator = compared(text)
    if number and comparator then
      range[comparator:sub(1, 1) == "<" and "high" or "low"] = quantity(obx, number)
    end
  end
  return range
end

return values
