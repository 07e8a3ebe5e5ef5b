-- The way of a result, whichever door it came by: codes to LOINC, rules, FHIR to the EHR, and to a person what a person has to
-- see.
local house = require("house")
local observations = require("observations")
local reports = require("reports")
local results = {}

-- Whether an OBX is filed under a code, and so needs one that is known.
local function is_coded(obx)
  return not observations.is_document(obx) and observations.status(obx) ~= nil
end

-- OBX-3 with LOINC first and the laboratory's own code as the alternate, by the table. Returns the row when it went by the
-- table, or the code that has none.
local function translate_code(obx, number)
  local system = obx["3.3"]
  if system == "LN" then return nil end
  if obx["3.6"] == "LN" then
    obx["3.1"], obx["3.2"], obx["3.3"], obx["3.4"], obx["3.5"], obx["3.6"] =
      obx["3.4"], obx["3.5"], "LN", obx["3.1"], obx["3.2"], system
  elseif is_coded(obx) then
    local text = obx["3.2"]
    local code = obx["3.1"] or text
    if not code then reject("OBX[" .. number .. "]-3 is empty: nobody knows what was measured") end
    local row = lookup("lab-to-loinc", code, { text = text })
    if not row then return nil, code end
    obx["3.4"], obx["3.5"], obx["3.6"] = code, text, system
    obx["3.1"], obx["3.2"], obx["3.3"] = row.loinc, row.display, "LN"
    return row
  end
end

-- OBX-6 in UCUM where the table knows the unit, the laboratory's own as the alternate. Returns, in words, when the unit is
-- not the one agreed upon with the laboratory, which the row of the code says.
local function translate_unit(obx, row)
  local unit, agreed = obx["6.1"], row and row.unit
  if not unit then return nil end
  local known = obx["6.3"] ~= "UCUM" and lookup("units-to-ucum", unit)
  if known then
    obx["6.4"], obx["6.5"], obx["6.6"] = unit, obx["6.2"], obx["6.3"]
    obx["6.1"], obx["6.2"], obx["6.3"] = known.ucum, known.ucum, "UCUM"
  end
  if agreed and agreed ~= (known and known.ucum or unit) then
    return row.text .. " comes in " .. unit .. "; agreed upon is " .. agreed
  end
end

-- A result that was posted by mistake may have been acted upon: somebody has to hear of it.
local function is_withdrawn(obx)
  return obx["11"] == "W" or obx["11"] == "D"
end

-- Codes and units of all results. Returns the codes that have no row, and in words what a person should look at: `units` and
-- `withdrawn`.
local function translate(msg)
  local unknown, units, withdrawn, number = {}, {}, {}, 0
  for obx in msg:each("OBX") do
    number = number + 1
    local row, missing = translate_code(obx, number)
    unknown[#unknown + 1] = missing
    units[#units + 1] = not missing and translate_unit(obx, row) or nil
    if is_withdrawn(obx) then
      withdrawn[#withdrawn + 1] = (obx["3.5"] or obx["3.2"]) .. " is withdrawn by the laboratory"
    end
  end
  return unknown, units, withdrawn
end

-- Bytes that are no text in the character set that MSH-18 names reach a script as this character (U+FFFD).
local UNREADABLE = "\u{FFFD}"

local function unreadable(msg)
  if not (msg["PID-5"] or ""):find(UNREADABLE, 1, true) then return {} end
  return { "the patient's name is not in the character set that MSH-18 names, " .. (msg["MSH-18"] or "none") }
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
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

function results.route(msg)
  if msg.type ~= "ORU^R01" then return skip("not a result: " .. (msg.type or "no HL7 v2 message")) end
  local patient_number = house.patient_number(msg.PID[3])
  if not patient_number then reject("no patient number in PID-3: the laboratory has to send it again") end

  local unknown, doubts, withdrawn = translate(msg)
  if #unknown > 0 then
    park("no row in lab-to-loinc for " .. table.concat(unknown, ", "), { until_mapped = true })
  end
  local verdict = rules.evaluate("critical-labs", msg)

  local transaction = fhir.transaction()
  local subject = transaction:create(house.patient(msg, patient_number),
    { unless_exists = fhir.by_identifier(house.systems.patient, patient_number) })
  local source = { received_at = msg.received_at, laboratory = msg["MSH-4.1"] or msg.partner, subject = subject }
  local orders, filed = 0, 0
  for order in msg:groups("ORDER_OBSERVATION") do
    if not order.OBR:exists() then reject("a result without OBR: nobody knows what was ordered") end
    if not reports.number(order) then reject("an order without number: neither OBR-2, OBR-3, ORC-2 nor ORC-3 holds one") end
    local count, doubtful = reports.add(transaction, order, source)
    orders, filed = orders + 1, filed + count
    append(doubts, doubtful)
  end
  if orders == 0 then reject("neither OBR nor OBX: nothing was reported") end
  append(doubts, withdrawn)
  append(doubts, unreadable(msg))

  send("ehr", transaction, { key = patient_number, priority = verdict.critical and "stat" or nil })
  if verdict.urgency or verdict.doubtful or #doubts > 0 then
    send("review", review_item(msg, patient_number, verdict, doubts), { key = patient_number })
  end
  log.info("filed", { orders = orders, observations = filed, urgency = verdict.urgency, doubts = #doubts })
end

return results
