-- Who is where: each event of a patient's stay as Patient and Encounter, updated by the clinic's own numbers.
local house = require("house")

-- Admitted, discharged, registered, changed, admission or visit cancelled, discharge cancelled, merged (HL7 v2.5.1, chapter 3).
local EVENTS = { A01 = true, A03 = true, A04 = true, A08 = true, A11 = true, A13 = true, A40 = true }
local STARTS = { A01 = true, A04 = true }
local CANCELS = { A11 = true, A13 = true }

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

-- What was said of the visit cannot be so and this too: registration has to send what is right. Nothing waits for that, or what it
-- sends would wait as well.
local function contradiction(event, known)
  if known.cancelled and (event == "A03" or event == "A13") then
    return "has been cancelled (A11): registration has to admit the patient again (A01)"
  end
  if event == "A11" and known.finished then
    return "has ended: registration has to cancel its discharge (A13), and then send this again"
  end
end

-- The visit as it is after this message. A change (A08) often leaves out when the stay began or ended: what was said before
-- still holds. A11 takes back what began the visit: an admission (A01), after which whoever was registered before (A04)
-- still is, or all of it (3.3.11). A13 takes back a discharge, whatever PV1 still says of it (3.3.13).
local function as_it_is_now(msg, known)
  local event = msg["MSH-9.2"]
  if event == "A11" and known.registered then return known.registered end
  if event == "A11" or known.cancelled and not STARTS[event] then return { cancelled = true, class = class(msg) } end
  local visit = { class = class(msg), place = place(msg), by = known.by, registered = known.registered }
  if STARTS[event] then
    visit.by = event
    visit.registered = event == "A01" and (known.by == "A04" and known or known.registered) or nil
    known = {}
  end
  visit.begun = fhir.datetime(msg["PV1-44"]) or known.begun
  if event == "A13" then return visit end
  visit.ended = fhir.datetime(msg["PV1-45"]) or known.ended
  visit.disposition = not msg:isnull("PV1-36") and (msg["PV1-36.1"] or known.disposition) or nil
  if event == "A03" then visit.ended = visit.ended or fhir.datetime(msg["EVN-6"] or msg["EVN-2"]) end
  visit.finished = visit.ended ~= nil or event == "A03" or known.finished or nil
  return visit
end

-- A visit that was cancelled has no time and no bed: it did not take place.
local function encounter(visit, subject, number)
  local disposition = visit.finished and visit.disposition
  return fhir.Encounter {
    identifier = { { system = house.systems.visit, value = number } },
    status = visit.cancelled and "cancelled" or visit.finished and "finished" or "in-progress",
    class = visit.class,
    subject = subject,
    period = (visit.begun or visit.ended) and { start = visit.begun, ["end"] = visit.ended } or nil,
    location = visit.place,
    hospitalization = disposition and {
      dischargeDisposition = { coding = { { system = "http://terminology.hl7.org/CodeSystem/v2-0112", code = disposition } } },
    } or nil,
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
    local known = state["visit " .. visit] or {}
    local why = contradiction(event, known)
    if why then reject("visit " .. visit .. " " .. why) end
    local now = as_it_is_now(msg, known)
    state["visit " .. visit] = now
    transaction:update(encounter(now, patient, visit), "Encounter?" .. fhir.by_identifier(house.systems.visit, visit))
  elseif CANCELS[event] then
    reject(event .. " without a visit number, in PV1-19 or PID-18: nobody can tell what it takes back")
  end
  send("ehr", transaction)
end
