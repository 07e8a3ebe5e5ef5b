-- GET /fhir/$counts: what there is and what happened, so that a test can prove that nothing was lost or doubled.
local answer = require("answer")
local keep = require("keep")
local counts = {}

function counts.report()
  local resources = {}
  for kind in pairs(keep.types) do resources[kind] = keep.count(kind) end
  return answer.document(200, {
    resources = resources,
    transactions = state["transactions"] or 0,  -- that were carried out
    refused = state["refused"] or 0,            -- with 4xx, because of what stood in them
    repeated = state["repeated"] or 0,          -- requests that came again under the same Idempotency-Key
    failed = state["failed"] or 0,              -- answered badly because it was asked for
    doubled = state["doubled"] or 0,            -- identifiers that more than one resource has
  })
end

return counts
