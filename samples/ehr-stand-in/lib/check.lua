-- What FHIR R4 asks of the resources that the server keeps, as far as it looks: what must be there, and the codes of statuses.
local check = {}

local function set(text)
  local made = {}
  for word in text:gmatch("%S+") do made[word] = true end
  return made
end

local rules = {
  Patient = { required = {} },
  Encounter = {
    required = { "status", "class" },
    status = set "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
  },
  Observation = {
    required = { "status", "code" },
    status = set "registered preliminary final amended corrected cancelled entered-in-error unknown",
  },
  DiagnosticReport = {
    required = { "status", "code" },
    status = set "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown",
  },
  DocumentReference = {
    required = { "status", "content" },
    status = set "current superseded entered-in-error",
  },
}

-- What is wrong with a resource, in words; nil when nothing is.
function check.problem(resource)
  local kind = resource:get("resourceType")
  local rule = kind and rules[kind]
  if not rule then return "this server keeps no " .. (kind or "resource without resourceType") end
  for _, name in ipairs(rule.required) do
    if not resource:get(name) then return kind .. "." .. name .. " is missing" end
  end
  local status = resource:get("status")
  if rule.status and not rule.status[status] then return kind .. ".status is '" .. status .. "', which FHIR does not know" end
  return nil
end

return check
