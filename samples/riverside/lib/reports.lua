-- From one order of a message (ORC, OBR and what follows) to a DiagnosticReport, its Observations and its documents in a
-- transaction.
--
-- Everything is an update by an identifier that the laboratory repeats: the laboratory, its number of the order, its test, the
-- code of the result. So a correction replaces what it corrects, and a delivery that is repeated changes nothing. What has been
-- filed is remembered (state["report KEY"]), so that a message which comes late or out of turn takes nothing back.
local house = require("house")
local observations = require("observations")
local reports = {}

local CATEGORY = { coding = { { system = "http://terminology.hl7.org/CodeSystem/v2-0074", code = "LAB" } } }
local LONGEST_KEPT = 100000  -- bytes of a conclusion that is remembered; state takes 256 KB

-- How far a result has come. It does not go back: what is corrected is not final again, what is final not preliminary.
local STAGE = { registered = 1, preliminary = 2, final = 3, cancelled = 3, amended = 4, corrected = 4, ["entered-in-error"] = 4 }

-- What the statuses of its results make of a report without OBR-25, the first that fits.
local function status_from(items, filed, here)
  local found = {}
  for _, item in ipairs(items) do found[item.status] = true end
  for name, before in pairs(filed.results) do
    if not here[name] then found[before.status] = true end
  end
  if found.registered or found.preliminary then
    return (found.final or found.corrected or found.amended) and "partial" or found.preliminary and "preliminary" or "registered"
  end
  for _, status in ipairs { "corrected", "amended", "final", "cancelled", "entered-in-error" } do
    if found[status] then return status end
  end
  return "unknown"
end

-- OBR-25, unless the results say more: a report is corrected when one of them is, and withdrawn when all of them are.
local function status_of(report, here)
  local by_results = status_from(report.items, report.filed, here)
  local row = not report.out_of_turn and report.order["OBR-25"] and lookup("report-status", report.order["OBR-25"])
  if not row or by_results == "corrected" or by_results == "entered-in-error" then return by_results end
  return row.status
end

-- The number under which an order is known: the laboratory's (filler), else the clinic's (placer).
local function number_of(order)
  local filler = order["OBR-3.1"] or order["ORC-3.1"]
  if filler then return filler end
  local placer = order["OBR-2.1"] or order["ORC-2.1"]
  return placer and "placer " .. placer
end

local function placer(order)
  local number = order["OBR-2.1"] or order["ORC-2.1"]
  return number and { type = "ServiceRequest", identifier = { system = house.systems.order, value = number } }
end

-- Under which key a report is filed, and what has been filed under it: at, patient, status, issued, conclusion, and results by
-- name. Another patient under the same number gets a key of their own, so that nobody's results replace another's.
local function place_of(key, patient_number, doubts)
  local filed = state["report " .. key]
  if filed and filed.patient ~= patient_number then
    doubts[#doubts + 1] = "the order " .. key .. " was filed for patient " .. (filed.patient or "?") .. "; these results of "
      .. patient_number .. " are filed beside those: one of the two is wrong, or the patients were merged"
    key = key .. "@" .. patient_number
    filed = state["report " .. key]
  end
  return key, filed or { at = 0, patient = patient_number, results = {} }
end

-- Why a result is not to be filed: in words, or "" when a person need not hear of it; nil when it is.
local function behind(item, before, report, late)
  if not before then return nil end
  if late then return "" end  -- this message was held back, by a code without a row, while a later one went
  if STAGE[item.status] < STAGE[before.status] then
    return item.name .. " comes as " .. item.status .. " after it was " .. before.status .. ": not filed"
  end
  local now, then_ = time.parse(report.issued), time.parse(before.issued)
  if now and then_ and now < then_ then
    return item.name .. " is older (OBR-22 " .. report.issued .. ") than what is filed (" .. before.issued .. "): not filed"
  end
end

local function read_order(order, key, filed, doubts, received_at)
  local report = { order = order, key = key, filed = filed, items = {}, late = filed.at > received_at,
                   taken = fhir.datetime(order["OBR-7"]), issued = fhir.instant(order["OBR-22"]) }
  if order["OBR-7"] and not report.taken then
    doubts[#doubts + 1] = "the time of the specimen, OBR-7, cannot be read: " .. order["OBR-7"]
  end
  report.found = observations.of(order, key)
  for _, item in ipairs(report.found.items) do
    local why = behind(item, filed.results[item.name], report, report.late)
    if why then
      report.out_of_turn = true
      if why ~= "" then doubts[#doubts + 1] = why end
    else
      report.items[#report.items + 1] = item
    end
  end
  house.append(doubts, report.found.doubts)
  return report
end

-- Reads all orders of a message, for add(). Or nil, and why the message cannot be filed. What a person should look at is
-- appended to `doubts`, in words.
function reports.read(msg, patient_number, doubts)
  local read, times = {}, {}
  for order in msg:groups("ORDER_OBSERVATION") do
    if not order.OBR:exists() then return nil, "a result without OBR: nobody knows what was ordered" end
    local number = number_of(order)
    if not number then return nil, "an order without number: neither OBR-2, OBR-3, ORC-2 nor ORC-3 holds one" end
    local key = (msg.partner or msg["MSH-4.1"] or "") .. "/" .. number .. "/" .. (order["OBR-4.1"] or order["OBR-4.2"] or "")
    times[key] = (times[key] or 0) + 1
    if times[key] > 1 then
      doubts[#doubts + 1] = "the order " .. key .. " stands twice in one message: filed as two reports"
      key = key .. "#" .. times[key]
    end
    local place, filed = place_of(key, patient_number, doubts)
    read[#read + 1] = read_order(order, place, filed, doubts, msg.received_at)
  end
  if #read == 0 then return nil, "neither OBR nor OBX: nothing was reported" end
  return read
end

-- The results that a report refers to: those of this message, and those that earlier ones brought.
local function references(transaction, report, source)
  local found, here = {}, {}
  for _, item in ipairs(report.items) do
    local url = "Observation?" .. fhir.by_identifier(house.systems.observation, item.key)
    found[#found + 1] = transaction:update(observations.resource(item, report, source), url)
    here[item.name] = true
  end
  for name in pairs(report.filed.results) do
    if not here[name] then
      local query = fhir.by_identifier(house.systems.observation, report.key .. "/" .. name)
      found[#found + 1] = { reference = "Observation?" .. query }
    end
  end
  return found, here
end

local function remember(report, source, status, conclusion)
  local filed = report.filed
  for _, item in ipairs(report.items) do
    filed.results[item.name] = { status = item.status, issued = report.issued }
  end
  filed.at = report.late and filed.at or source.received_at
  filed.status = status
  filed.conclusion = conclusion and #conclusion <= LONGEST_KEPT and conclusion or nil
  state["report " .. report.key] = filed
end

-- Adds what reports.read() has read of one order to the transaction. `source` tells of the message: received_at, performer,
-- patient_number, and subject, the reference of its patient. Returns how many observations it added; nil when there was
-- nothing to add, because all had come out of turn.
function reports.add(transaction, report, source)
  local found = report.found
  if report.out_of_turn and #report.items == 0 and #found.documents == 0 then return nil end

  local result, here = references(transaction, report, source)
  local status = report.late and report.filed.status or status_of(report, here)
  local conclusion = #found.notes > 0 and table.concat(found.notes, "\n") or report.filed.conclusion
  local reference = transaction:update(fhir.DiagnosticReport {
    identifier = { system = house.systems.report, value = report.key },
    basedOn = placer(report.order),
    status = status,
    category = CATEGORY,
    code = fhir.concept(report.order.OBR[4]),
    subject = source.subject,
    effectiveDateTime = report.taken,
    issued = report.issued,
    performer = source.performer,
    result = #result > 0 and result or nil,
    conclusion = conclusion,
  }, "DiagnosticReport?" .. fhir.by_identifier(house.systems.report, report.key))
  for _, document in ipairs(found.documents) do
    transaction:update(observations.document(document, source, reference),
      "DocumentReference?" .. fhir.by_identifier(house.systems.document, document.key))
  end
  remember(report, source, status, conclusion)
  return #report.items
end

return reports
