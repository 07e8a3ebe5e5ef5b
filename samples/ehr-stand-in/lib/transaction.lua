-- Transactions (FHIR R4, 3.1.0.11): first everything is planned and checked, then everything is written; a mistake writes
-- nothing. Entries may be POST, with ifNoneExist, and PUT, by id or by a search; searches go by identifier.
local answer = require("answer")
local check = require("check")
local keep = require("keep")
local transaction = {}

-- Raised while planning, and caught in plan(): {status, code, text}.
local function refuse(status, code, text)
  error({ status = status, code = code, text = text })
end

-- The ids that a search such as "identifier=system|value" finds, of a kind.
local function find(kind, search, entry)
  local identifier = search:match("^identifier=([^&]+)$")
  if not identifier then refuse(400, "not-supported", entry .. ": searches go by one identifier, not by '" .. search .. "'") end
  identifier = keep.plain(keep.decode(identifier))
  if not identifier:find("|", 1, true) then refuse(400, "invalid", entry .. ": an identifier is searched as system|value") end
  local ids = keep.search(kind, identifier)
  if #ids > 1 then refuse(412, "multiple-matches", entry .. ": " .. #ids .. " " .. kind .. " resources have " .. identifier) end
  return ids[1], kind .. "?" .. identifier
end

-- What one entry will do: {kind, id, write, created, resource}. `next_id` gives new ids, `planned` the identities so far.
local function plan_entry(asked, resource, name, next_id, planned)
  local problem = check.problem(resource)
  if problem then refuse(422, "invalid", name .. ": " .. problem) end
  local kind, rest = asked.url:match("^(%u%a+)(.*)$")
  if kind ~= resource:get("resourceType") then
    refuse(422, "invalid", name .. ": a " .. resource:get("resourceType") .. " is not to be sent to '" .. asked.url .. "'")
  end

  local step = { kind = kind, write = true, resource = resource }
  local identity
  if asked.method == "POST" and rest == "" then
    if asked.ifNoneExist then
      step.id, identity = find(kind, asked.ifNoneExist, name)
      step.write = step.id == nil
    end
  elseif asked.method == "PUT" and rest:sub(1, 1) == "?" then
    step.id, identity = find(kind, rest:sub(2), name)
  elseif asked.method == "PUT" and rest:find("^/[%w%-.]+$") then
    step.id = rest:sub(2)
    identity = kind .. rest
    step.created = keep.read(kind, step.id) == nil
  else
    refuse(422, "not-supported", name .. ": " .. asked.method .. " " .. asked.url .. " is not done here")
  end
  if identity and planned[identity] then refuse(422, "duplicate", name .. ": " .. identity .. " comes twice") end
  if not step.id then
    step.id, step.created = next_id(kind), true
  end
  if identity then planned[identity] = step end
  return step
end

-- Puts "Patient/12" where an entry refers to another entry (urn:uuid:…) or to what a search finds ("Patient?identifier=…").
local function wire(step, name, urls, planned)
  local text = step.resource:encode()
  local wired = text:gsub('("reference"%s*:%s*)"([^"]*)"', function(before, target)
    local kind, search = target:match("^(%u%a+)%?(.+)$")
    local found
    if target:sub(1, 9) == "urn:uuid:" then
      found = urls[target]
    elseif kind then
      local id, identity = find(kind, search, name)
      local here = planned[identity]
      found = here and here.kind .. "/" .. here.id or id and kind .. "/" .. id
    else
      return nil
    end
    if not found then refuse(422, "not-found", name .. " refers to " .. target .. ", which is nowhere") end
    return before .. '"' .. found .. '"'
  end)
  step.resource = json.parse(wired)
end

-- The steps of all entries {asked, resource, fullUrl, name}.
local function plan(entries)
  local counts, planned, urls, steps = {}, {}, {}, {}
  local function next_id(kind)
    counts[kind] = (counts[kind] or keep.count(kind)) + 1
    return tostring(counts[kind])
  end
  for number, entry in ipairs(entries) do
    steps[number] = plan_entry(entry.asked, entry.resource, entry.name, next_id, planned)
    if entry.fullUrl then urls[entry.fullUrl] = steps[number].kind .. "/" .. steps[number].id end
  end
  for number, step in ipairs(steps) do
    if step.write then wire(step, entries[number].name, urls, planned) end
  end
  return steps
end

local function carry_out(entries)
  local good, steps = pcall(plan, entries)
  if not good then
    if type(steps) ~= "table" then error(steps, 0) end
    state["refused"] = (state["refused"] or 0) + 1
    return nil, answer.problem(steps.status, steps.code, steps.text)
  end
  for _, step in ipairs(steps) do
    if step.write then
      step.version = keep.write(step.kind, step.id, step.resource)
    else
      step.version = select(2, keep.read(step.kind, step.id))
    end
  end
  state["transactions"] = (state["transactions"] or 0) + 1
  return steps
end

local function response(step)
  return { status = step.created and "201 Created" or "200 OK", etag = answer.etag(step.version),
           location = step.kind .. "/" .. step.id .. "/_history/" .. step.version }
end

-- POST /fhir
function transaction.answer(msg)
  local bundle, problem = answer.body(msg)
  if not bundle then return problem end
  if bundle:get("resourceType") ~= "Bundle" or bundle:get("type") ~= "transaction" then
    return answer.problem(422, "not-supported", "here a Bundle of type transaction is taken, and nothing else")
  end
  local entries = {}
  for entry in bundle:each("entry") do
    local name, resource = "Bundle.entry[" .. #entries + 1 .. "]", entry:at("resource")
    local method, url = entry:get("request.method"), entry:get("request.url")
    if resource:isempty() or not method or not url then
      return answer.problem(422, "required", name .. " needs resource, request.method and request.url")
    end
    entries[#entries + 1] = {
      name = name, fullUrl = entry:get("fullUrl"), resource = resource:copy(),
      asked = { method = method, url = url, ifNoneExist = entry:get("request.ifNoneExist") },
    }
  end
  local steps, refused = carry_out(entries)
  if not steps then return refused end
  local responses = {}
  for number, step in ipairs(steps) do responses[number] = { response = response(step) } end
  return answer.document(200, fhir.Bundle { type = "transaction-response", entry = responses })
end

-- POST and PUT of one resource.
function transaction.single(resource, asked)
  local steps, refused = carry_out { { asked = asked, resource = resource, name = "the resource" } }
  if not steps then return refused end
  local step = steps[1]
  return answer.resource(step.created and 201 or 200, keep.read(step.kind, step.id), step.kind, step.id, step.version)
end

return transaction
