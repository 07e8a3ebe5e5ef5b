-- Who is where: each event of a patient's stay as Patient and Encounter, updated by the clinic's own numbers.
local house = require("house")

-- Admitted, discharged, registered, changed, merged (HL7 v2.5.1, chapter 3).
local EVENTS = { A01 = true, A03 = true, A04 = true, A08 = true, A40 = true }
local STARTS = { A01 = true, A04 = true }

local function visit_number(msg)
  return msg["PV1-19.1"] or msg["PID-18.1"]
end

-- A class that has no row waits for it: an inpatient is not to look like somebody who has gone home.
local function class(msg)
  local row = lookup.must("patient-class", not msg:isnull("PV1-2") and msg["PV1-2"] or "U")
  return { system = "http://terminology.hl7.org/CodeSystem/v3-ActCode", code = row.code, display = row.display }
end

local function place(msg)
  local parts = {}
  for component = 1, 3 do  -- point of care, room, bed
    parts[#parts + 1] = msg["PV1-3." .. component]
  end
  return #parts > 0 and { { location = { display = table.concat(parts, " ") } } } or nil
end

-- The visit as it is now. A change (A08) often leaves out when the stay began or ended: what was said before still holds.
local function encounter(msg, subject, number)
  local event = msg["MSH-9.2"]
  local known = STARTS[event] and {} or state["visit " .. number] or {}
  local begun = fhir.datetime(msg["PV1-44"]) or known.begun
  local ended = fhir.datetime(msg["PV1-45"]) or known.ended
  if event == "A03" then ended = ended or fhir.datetime(msg["EVN-6"] or msg["EVN-2"]) end
  state["visit " .. number] = { begun = begun, ended = ended }
  return fhir.Encounter {
    identifier = { { system = house.systems.visit, value = number } },
    status = (ended or event == "A03") and "finished" or "in-progress",
    class = class(msg),
    subject = subject,
    period = (begun or ended) and { start = begun, ["end"] = ended } or nil,
    location = place(msg),
  }
end

-- A40: the patient of each MRG has become the one of its PID. The EHR keeps both, the old one inactive and pointing to the new.
local function merge(msg, transaction)
  for pair in msg:groups("PATIENT") do
    local number, old = house.patient_number(pair.PID[3]), house.patient_number(pair.MRG[1])
    if not number then reject("no patient number of Riverside's, of type MR, in PID-3") end
    if not old then reject("a merge that does not say, in MRG-1, who was merged") end
    local survivor = transaction:update(house.patient(pair, number),
      "Patient?" .. fhir.by_identifier(house.systems.patient, number))
    transaction:update(fhir.Patient {
      identifier = house.identifiers(pair.MRG[1], old),
      active = false,
      name = house.each(pair.MRG[7], fhir.name),
      link = { { other = survivor, type = "replaced-by" } },
    }, "Patient?" .. fhir.by_identifier(house.systems.patient, old))
    state["merged " .. old], state["merged " .. number] = number, nil
  end
end

function main(msg)
  local event = msg["MSH-9.2"]
  if not EVENTS[event] then return skip("nothing to do for " .. (msg.type or "a message without type")) end
  local transaction = fhir.transaction()
  if event == "A40" then
    merge(msg, transaction)
    return send("ehr", transaction)  -- in the order of the channel: a merge keeps its place in the line of its patients
  end

  local number = house.patient_number(msg.PID[3])
  if not number then reject("no patient number of Riverside's, of type MR, in PID-3") end
  if state["merged " .. number] then
    park("patient " .. number .. " has been merged into " .. state["merged " .. number] .. ": registration has to say who this is")
  end
  local patient = transaction:update(house.patient(msg, number), "Patient?" .. fhir.by_identifier(house.systems.patient, number))
  local visit = visit_number(msg)
  if visit then
    transaction:update(encounter(msg, patient, visit), "Encounter?" .. fhir.by_identifier(house.systems.visit, visit))
  end
  send("ehr", transaction)
end
