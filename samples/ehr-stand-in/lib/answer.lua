-- Answers as FHIR's RESTful API gives them: {status, headers, body} for reply().
local keep = require("keep")
local answer = {}

local FHIR = "application/fhir+json"
local LARGEST_REMEMBERED = 200 * 1024  -- a value of state holds 256 KB

local function answered(status, document, headers)
  headers = headers or {}
  headers["content-type"] = FHIR
  return { status = status, headers = headers, body = json.encode(document) }
end

-- An OperationOutcome; `code` is FHIR's issue type.
function answer.problem(status, code, text, headers)
  return answered(status, fhir.OperationOutcome { issue = { severity = "error", code = code, diagnostics = text } }, headers)
end

function answer.etag(version)
  return 'W/"' .. version .. '"'
end

-- A resource, given as its JSON text.
function answer.resource(status, text, kind, id, version)
  local headers = { etag = answer.etag(version), location = kind .. "/" .. id .. "/_history/" .. version,
                    ["content-type"] = FHIR }
  return { status = status, headers = headers, body = text }
end

function answer.searchset(kind, ids, total)
  local entries = {}
  for _, id in ipairs(ids) do
    local text = keep.read(kind, id)
    entries[#entries + 1] = { fullUrl = kind .. "/" .. id, resource = json.parse(text), search = { mode = "match" } }
  end
  return answered(200, fhir.Bundle { type = "searchset", total = total, entry = entries })
end

function answer.document(status, document)
  return answered(status, document)
end

-- The request's body as JSON; nil and the answer when it is none.
function answer.body(msg)
  local read, document = pcall(json.parse, msg.raw)
  if read then return document end
  return nil, answer.problem(400, "structure", "the body is no JSON: " .. tostring(document))
end

-- The answer that was given under this Idempotency-Key before; nil when there was none.
function answer.repeated(key)
  local before = key and state["key " .. key]
  if not before then return nil end
  state["repeated"] = (state["repeated"] or 0) + 1
  return { status = before.status, body = before.body,
           headers = { ["content-type"] = FHIR, ["idempotency-replayed"] = "true" } }
end

-- Keeps a good answer, so that the same request asked again does nothing again.
function answer.remember(key, given)
  if key and given.status < 300 and #given.body < LARGEST_REMEMBERED then
    state["key " .. key] = { status = given.status, body = given.body }
  end
end

return answer
