-- The way of a result, whichever door it came by: codes to LOINC, rules, what a person has to see, FHIR to the EHR.
--
-- The review goes first, and always: a critical value is not to wait for the row of a code beside it, nor for the laboratory to
-- send again what cannot be filed.
local house = require("house")
local observations = require("observations")
local reports = require("reports")
local results = {}

-- Whether an OBX is filed under a code, and so needs one that is known.
local function is_coded(obx)
  return not observations.is_document(obx) and observations.status(obx) ~= nil
end

-- OBX-3 with LOINC first and the laboratory's own code as the alternate, by the table. Returns the row when it went by the
-- table; or nil and the code that has none, "" where there is no code at all.
local function translate_code(obx)
  local code, system = house.trimmed(obx["3.1"]), obx["3.3"]
  if system == "LN" and code then
    if code ~= obx["3.1"] then obx["3.1"] = code end
  elseif obx["3.6"] == "LN" then
    obx["3.1"], obx["3.2"], obx["3.3"], obx["3.4"], obx["3.5"], obx["3.6"] =
      house.trimmed(obx["3.4"]), obx["3.5"], "LN", code, obx["3.2"], system
  elseif is_coded(obx) then
    local text = obx["3.2"]
    local key = code or text
    if not key then return nil, "" end
    local row = lookup("lab-to-loinc", key, { text = text })
    if not row then return nil, key end
    obx["3.4"], obx["3.5"], obx["3.6"] = key, text, system
    obx["3.1"], obx["3.2"], obx["3.3"] = row.loinc, row.display, "LN"
    return row
  end
end

-- OBX-6 in UCUM where the table knows the unit, the laboratory's own as the alternate. Returns, in words, when the unit is
-- not the one agreed upon with the laboratory, which the row of the code says.
local function translate_unit(obx, row)
  local unit, agreed = obx["6.1"], row and row.unit
  if not unit then return nil end
  local system = obx["6.3"]
  local known = system ~= "UCUM" and lookup("units-to-ucum", unit)
  if known then
    obx["6.4"], obx["6.5"], obx["6.6"] = unit, obx["6.2"], system
    obx["6.1"], obx["6.2"], obx["6.3"] = known.ucum, known.ucum, "UCUM"
  end
  if agreed and agreed ~= (known and known.ucum or unit) then
    return row.text .. " comes in " .. unit .. "; agreed upon is " .. agreed
  end
end

-- A result that was posted by mistake may have been acted upon: somebody has to hear of it.
local function is_withdrawn(obx)
  local status = obx["11"]
  return status == "W" or status == "D"
end

-- A result in the laboratory's own words, where it has any.
local function name_of(obx)
  return obx["3.5"] or obx["3.2"] or obx["3.1"] or "a result"
end

-- Bytes that are no text in the character set that MSH-18 names reach a script as this character (U+FFFD).
local UNREADABLE = "\u{FFFD}"

local function is_unreadable(text)
  return text ~= nil and text:find(UNREADABLE, 1, true) ~= nil
end

-- Codes and units of all results. Returns the codes that have no row; in words what a person should look at; and why the
-- message cannot be filed, when an OBX says of nothing what it is.
local function translate(msg)
  local unknown, doubts, withdrawn, problem, number = {}, {}, {}, nil, 0
  for obx in msg:each("OBX") do
    number = number + 1
    local row, missing = translate_code(obx)
    if missing == "" then
      problem = problem or "OBX[" .. number .. "]-3 is empty: nobody knows what was measured"
    else
      unknown[#unknown + 1] = missing
      doubts[#doubts + 1] = not missing and translate_unit(obx, row) or nil
    end
    if is_withdrawn(obx) then withdrawn[#withdrawn + 1] = name_of(obx) .. " is withdrawn by the laboratory" end
    if is_unreadable(obx["5"]) then
      doubts[#doubts + 1] = name_of(obx) .. " holds characters that are not in the character set that MSH-18 names, "
        .. (msg["MSH-18"] or "none")
    end
  end
  house.append(doubts, withdrawn)
  if is_unreadable(msg["PID-5"]) then
    doubts[#doubts + 1] = "the patient's name is not in the character set that MSH-18 names, " .. (msg["MSH-18"] or "none")
  end
  return unknown, doubts, problem
end

-- Why a message cannot be filed to anybody's chart, in words; nil when it can.
local function misdirected(msg, patient_number)
  if msg:count("PID") > 1 then
    return "results of " .. msg:count("PID") .. " patients in one message: the laboratory has to send each in its own"
  end
  if not patient_number then
    return "no patient number of Riverside's, of type MR, in PID-3: the laboratory has to send it again"
  end
end

-- What a person reads in the review folder.
local function review_item(msg, patient_number, verdict, doubts)
  return json.encode {
    message = msg.id,
    control_id = msg["MSH-10"],
    laboratory = msg.partner,
    patient = { number = patient_number, name = msg["PID-5[1].1"], birthDate = fhir.date(msg["PID-7"]) },
    urgency = verdict.urgency,
    doubts = json.array(doubts),
    explanation = verdict:explain(),
    card = verdict:card(),
  }
end

local function file(msg, patient_number, orders, priority)
  local transaction = fhir.transaction()
  local subject = transaction:create(house.patient(msg, patient_number),
    { unless_exists = fhir.by_identifier(house.systems.patient, patient_number) })
  local source = { performer = { display = msg["MSH-4.1"] or msg.partner }, subject = subject,
                   patient_number = patient_number, received_at = msg.received_at }
  local filed, anything = 0, false
  for _, report in ipairs(orders) do
    local added = reports.add(transaction, report, source)
    filed, anything = filed + (added or 0), anything or added ~= nil
  end
  if anything then send("ehr", transaction, { key = patient_number, priority = priority }) end
  return filed
end

function results.route(msg)
  if msg.type ~= "ORU^R01" then return skip("not a result: " .. (msg.type or "no HL7 v2 message")) end
  local unknown, doubts, problem = translate(msg)
  local verdict = rules.evaluate("critical-labs", msg)
  local patient_number = house.patient_number(msg.PID[3])
  problem = misdirected(msg, patient_number) or problem
  local orders
  if not problem then orders, problem = reports.read(msg, patient_number, doubts) end

  local waits = #unknown > 0 and "no row in lab-to-loinc for " .. table.concat(unknown, ", ")
  local held_back = problem or waits
  if held_back then doubts = { held_back } end
  if verdict.urgency or verdict.doubtful or (not held_back and #doubts > 0) then
    send("review", review_item(msg, patient_number, verdict, doubts), { key = patient_number, always = true })
  end
  if problem then reject(problem) end
  if waits then park(waits, { until_mapped = true }) end

  local filed = file(msg, patient_number, orders, verdict.critical and "stat" or nil)
  log.info("filed", { orders = #orders, observations = filed, urgency = verdict.urgency, doubts = #doubts })
end

return results
