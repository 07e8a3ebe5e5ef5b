-- Which request is which; what each does is in lib/.
local answer = require("answer")
local counts = require("counts")
local keep = require("keep")
local transaction = require("transaction")
local trouble = require("trouble")

local function read(kind, id)
  if not keep.types[kind] then return answer.problem(404, "not-supported", "this server keeps no " .. kind) end
  local resource, version = keep.read(kind, id)
  if not resource then return answer.problem(404, "not-found", "there is no " .. kind .. "/" .. id) end
  return answer.resource(200, resource, kind, id, version)
end

local function search(msg, kind)
  if not keep.types[kind] then return answer.problem(404, "not-supported", "this server keeps no " .. kind) end
  local query = msg.request.query
  for name in pairs(query) do
    if name ~= "identifier" and name ~= "_count" and name ~= "_offset" then
      return answer.problem(400, "not-supported", "searches go by identifier, not by '" .. name .. "'")
    end
  end
  local ids, total
  if query.identifier then
    ids = keep.search(kind, keep.plain(query.identifier))
    total = #ids
  else
    ids, total = keep.page(kind, tonumber(query._offset) or 0, math.min(tonumber(query._count) or 50, 200))
  end
  return answer.searchset(kind, ids, total)
end

-- A POST or PUT of one resource is a transaction of one.
local function write(msg, url, condition)
  local resource, problem = answer.body(msg)
  if not resource then return problem end
  return transaction.single(resource, { method = msg.request.method, url = url, ifNoneExist = condition })
end

local function route(msg)
  local request = msg.request
  local path = request.path:match("^/fhir/?(.*)$")
  local kind, id = path:match("^(%u%a+)/?([%w%-.]*)$")

  if path == "$counts" then return counts.report() end
  if path == "$control" then return trouble.control(msg) end
  if path == "" and request.method == "POST" then return transaction.answer(msg) end
  if kind and request.method == "GET" then return id == "" and search(msg, kind) or read(kind, id) end
  if kind and request.method == "POST" and id == "" then return write(msg, kind, request.headers["if-none-exist"]) end
  if kind and request.method == "PUT" and id ~= "" then return write(msg, kind .. "/" .. id) end
  if kind and request.method == "PUT" and request.query.identifier then
    return write(msg, kind .. "?identifier=" .. keep.encode(request.query.identifier))
  end
  return answer.problem(404, "not-found", request.method .. " " .. request.path .. " is nothing that this server does")
end

function main(msg)
  if not msg.request then return reject("not a request by HTTP") end
  local is_clinical = not msg.request.path:find("/$", 1, true)
  local failing = is_clinical and trouble.next()
  if failing and not failing.after_storing then return reply(trouble.answer(failing)) end

  local key = msg.request.headers["idempotency-key"]
  local answered = is_clinical and answer.repeated(key) or route(msg)
  if is_clinical then answer.remember(key, answered) end
  reply(failing and trouble.answer(failing) or answered)
end
