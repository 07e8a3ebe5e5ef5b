-- From the OBX segments of one order to FHIR Observations, and its documents to DocumentReferences.
local attachments = require("attachments")
local house = require("house")
local standard = require("standard")
local observations = {}

local CATEGORY = { coding = { { system = "http://terminology.hl7.org/CodeSystem/observation-category", code = "laboratory" } } }
local NO_VALUE = { coding = { { system = "http://terminology.hl7.org/CodeSystem/data-absent-reason", code = "unknown" } } }
local TEXT = { TX = true, FT = true, ST = true }

-- OBX-11 as a status of FHIR; nil when the segment says nothing about a result. An empty one is final; one that nobody knows
-- is taken for preliminary, so that nobody relies on it.
function observations.status(obx)
  local status = standard.observation_status[obx["11"] or "F"]
  if status == nil then return "preliminary" end
  return status or nil
end

-- Documents belong to the report, not among the observations.
function observations.is_document(obx)
  return obx["2"] == "ED"
end

local function code(obx)
  local codings, display, own, own_text = {}, obx["3.2"], obx["3.4"], obx["3.5"]
  if obx["3.3"] == "LN" then
    codings[1] = { system = "http://loinc.org", code = obx["3.1"], display = display }
  end
  if own then
    codings[#codings + 1] = { system = house.systems.code, code = own, display = own_text }
  end
  return { coding = codings, text = own_text or display }
end

-- What one item becomes in the EHR; reference range and interpretation are those of its OBX. `report` tells when its order was
-- taken and issued, `source` of its patient, `subject`, and its laboratory, `performer`.
function observations.resource(item, report, source)
  local obx, value = item.obx, item.value
  local performer = obx["23.1"]
  return fhir.Observation({
    identifier = { system = house.systems.observation, value = item.key },
    status = item.status,
    category = CATEGORY,
    code = code(obx),
    subject = source.subject,
    effectiveDateTime = fhir.datetime(obx["14"]) or report.taken,
    issued = report.issued,
    performer = performer and { display = performer } or source.performer,
    valueQuantity = value.valueQuantity,
    valueCodeableConcept = value.valueCodeableConcept,
    valueString = value.valueString,
    valueRange = value.valueRange,
    valueRatio = value.valueRatio,
    valueDateTime = value.valueDateTime,
    dataAbsentReason = next(value) == nil and NO_VALUE or nil,
    note = item.notes[1] and { text = table.concat(item.notes, "\n") } or nil,
  }, obx)
end

-- Of a document, what the status of its OBX says of it.
local DOCUMENT_STATUS = { registered = "preliminary", preliminary = "preliminary", final = "final", corrected = "amended",
                          amended = "amended" }

-- What a document becomes in the EHR: a resource of its own, so that it stays when a later message brings the report without it.
function observations.document(document, source, report)
  return fhir.DocumentReference {
    identifier = { system = house.systems.document, value = document.key },
    status = document.status == "entered-in-error" and "entered-in-error" or "current",
    docStatus = DOCUMENT_STATUS[document.status] or "entered-in-error",
    type = code(document.obx),
    subject = source.subject,
    description = document.attachment.title,
    content = { attachment = document.attachment },
    context = { related = { report } },
  }
end

-- All repetitions of a field as lines of text; nil when there is nothing to read.
local function lines(field)
  local found = {}
  for repetition in field:each() do
    found[#found + 1] = repetition:formatted()
  end
  local text = table.concat(found, "\n")
  return text:find("%S") and text or nil
end

-- Long texts come as one OBX a line, all with the same code.
local function continues(item, obx, code_and_part)
  return item and item.of == code_and_part and item.status == observations.status(obx) and item.value.valueString
    and TEXT[obx["2"]] and TEXT[item.obx["2"]]
end

-- Everything that an order reports under that key:
--   items      {name, key, status, value, notes, obx} of each observation; the key is the report's and the name
--   documents  {key, status, attachment, obx} of each
--   notes      of the order as a whole
--   doubts     what a person should look at, in words
function observations.of(order, report_key)
  local found = { items = {}, documents = {}, notes = {}, doubts = {} }
  local times, last = {}, nil

  -- The laboratory's own code, by which a correction finds what it corrects: it stays when the table of codes changes. The
  -- second of a code in one order is "CODE#2".
  local function name_of(code_and_part)
    times[code_and_part] = (times[code_and_part] or 0) + 1
    local nth = times[code_and_part]
    return nth == 1 and code_and_part or code_and_part .. "#" .. nth
  end

  local function add_document(obx, status)
    local name = name_of(obx["3.4"] or obx["3.1"] or obx["3.2"] or "document")
    if status == "cancelled" then return end  -- there is none
    local attachment, problem = attachments.of(obx)
    if attachment then
      table.insert(found.documents, { key = report_key .. "/" .. name, status = status, attachment = attachment, obx = obx })
    else
      table.insert(found.doubts, problem)
    end
  end

  local function add_result(obx, status)
    local code_and_part = (obx["3.4"] or obx["3.1"]) .. (obx["4"] and "." .. obx["4"] or "")
    local value, doubt = fhir.value(obx)
    if continues(last, obx, code_and_part) then
      last.value.valueString = last.value.valueString .. "\n" .. (value.valueString or "")
      return
    end
    if obx["11"] == "U" and next(value) == nil then
      table.insert(found.doubts, code_and_part .. " is final now, says the laboratory, and does not repeat the value")
      last = nil
      return
    end
    local name = name_of(code_and_part)
    last = { of = code_and_part, name = name, key = report_key .. "/" .. name, status = status, value = value, notes = {},
             obx = obx }
    table.insert(found.items, last)
    table.insert(found.doubts, doubt)
  end

  for segment in order:each() do
    if segment.name == "OBX" then
      local status, is_document = observations.status(segment), observations.is_document(segment)
      if not status or is_document then last = nil end  -- notes below are not of the one before
      if status and is_document then
        add_document(segment, status)
      elseif status then
        add_result(segment, status)
      end
    elseif segment.name == "NTE" then
      table.insert(last and last.notes or found.notes, lines(segment[3]))
    end
  end
  return found
end

return observations
