-- Failing on request: POST /fhir/$control {"answer": 503, "times": 20} makes the next twenty requests fail. With
-- "after_storing": true the work is done and only the answer is bad, as when a server is too busy to say that it was not.
local answer = require("answer")
local trouble = {}

function trouble.control(msg)
  local wanted, problem = answer.body(msg)
  if not wanted then return problem end
  local status, times = tonumber(wanted:get("answer")), tonumber(wanted:get("times"))
  if not status or status < 400 or status > 599 or not times then
    return answer.problem(400, "invalid", 'say {"answer": 400 to 599, "times": N}, and perhaps "retry_after" (seconds) and '
      .. '"after_storing": true')
  end
  state["trouble"] = { answer = status, times = times, retry_after = wanted:get("retry_after"),
                       after_storing = wanted:get("after_storing") == "true" }
  return answer.document(200, { answer = status, times = times })
end

-- The trouble that this request is to have; nil when none.
function trouble.next()
  local asked = state["trouble"]
  if not asked or asked.times < 1 then return nil end
  asked.times = asked.times - 1
  state["trouble"] = asked
  state["failed"] = (state["failed"] or 0) + 1
  return asked
end

function trouble.answer(asked)
  local headers = asked.retry_after and { ["retry-after"] = asked.retry_after } or {}
  return answer.problem(asked.answer, asked.answer == 429 and "throttled" or "transient", "asked to fail", headers)
end

return trouble
