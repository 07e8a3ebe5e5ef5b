-- From one order of a message (ORC, OBR and what follows) to a DiagnosticReport and its Observations in a transaction.
--
-- Everything is an update by an identifier that the laboratory repeats: the number of the order, its test, the code of the
-- result. So a correction replaces what it corrects, and a delivery that is repeated changes nothing.
local house = require("house")
local observations = require("observations")
local reports = {}

local CATEGORY = { coding = { { system = "http://terminology.hl7.org/CodeSystem/v2-0074", code = "LAB" } } }

-- What the statuses of its results make of a report without OBR-25, the first that fits.
local function status_from(items)
  local found = {}
  for _, item in ipairs(items) do found[item.status] = true end
  if found.registered or found.preliminary then
    return (found.final or found.corrected or found.amended) and "partial" or found.preliminary and "preliminary" or "registered"
  end
  for _, status in ipairs { "corrected", "amended", "final", "cancelled", "entered-in-error" } do
    if found[status] then return status end
  end
  return "unknown"
end

-- OBR-25, unless the results say more: a report is corrected when one of them is, and withdrawn when all of them are.
local function status_of(order, items)
  local row = order["OBR-25"] and lookup("report-status", order["OBR-25"])
  local by_results = status_from(items)
  if not row or by_results == "corrected" or by_results == "entered-in-error" then return by_results end
  return row.status
end

-- The number under which laboratory and clinic know an order: the laboratory's (filler), else the clinic's (placer).
function reports.number(order)
  return order["OBR-3.1"] or order["ORC-3.1"] or order["OBR-2.1"] or order["ORC-2.1"]
end

local function placer(order)
  local number = order["OBR-2.1"] or order["ORC-2.1"]
  return number and { type = "ServiceRequest", identifier = { system = house.systems.order, value = number } }
end

-- Leaves out what a later message has filed already: this one was held back in between, by a code without a row.
local function not_filed_later(items, filed)
  local left = {}
  for _, item in ipairs(items) do
    if not filed.results[item.name] then left[#left + 1] = item end
  end
  return left
end

-- Adds the order to the transaction. `source` tells of the message: id, received_at, laboratory, and subject, the reference
-- of its patient. Returns how many observations it added, and what a person should look at, in words.
function reports.add(transaction, order, source)
  local key = reports.number(order) .. "/" .. (order["OBR-4.1"] or order["OBR-4.2"] or "")
  local found = observations.of(order, key)

  -- What has been filed of this report up to now, by this channel: its results stay in it when a message brings others.
  local filed = state["report " .. key] or { at = 0, results = {} }
  local late = filed.at > source.received_at
  local items = late and not_filed_later(found.items, filed) or found.items
  if late and #items == 0 then return 0, found.doubts end

  local report = {
    subject = source.subject,
    laboratory = source.laboratory,
    taken = fhir.datetime(order["OBR-7"]),
    issued = fhir.instant(order["OBR-22"]),
  }
  local results, here = {}, {}
  for _, item in ipairs(items) do
    local url = "Observation?" .. fhir.by_identifier(house.systems.observation, item.key)
    results[#results + 1] = transaction:update(observations.resource(item, report), url)
    here[item.name] = true
  end
  for name in pairs(filed.results) do
    if not here[name] then
      local query = fhir.by_identifier(house.systems.observation, key .. "/" .. name)
      results[#results + 1] = { reference = "Observation?" .. query }
    end
  end

  local status = late and filed.status or status_of(order, items)
  transaction:update(fhir.DiagnosticReport {
    identifier = { { system = house.systems.report, value = key } },
    basedOn = placer(order),
    status = status,
    category = CATEGORY,
    code = fhir.concept(order.OBR[4]),
    subject = source.subject,
    effectiveDateTime = report.taken,
    issued = report.issued,
    performer = { { display = source.laboratory } },
    result = #results > 0 and results or nil,
    conclusion = #found.notes > 0 and table.concat(found.notes, "\n") or nil,
    presentedForm = #found.documents > 0 and found.documents or nil,
  }, "DiagnosticReport?" .. fhir.by_identifier(house.systems.report, key))

  for name in pairs(here) do filed.results[name] = true end
  state["report " .. key] = { at = late and filed.at or source.received_at, status = status, results = filed.results }
  return #items, found.doubts
end

return reports
