-- Results of the walk-in laboratory; the way that all laboratories' results take is in lib/results.lua. Who posts waits for the
-- answer: this one when all went well, the engine's own when the message is rejected or waits for a person.
local results = require("results")

function main(msg)
  if msg.type ~= "ORU^R01" then return reject("this address takes HL7 v2 results, ORU^R01") end
  results.route(msg)
  reply { status = 202, body = { accepted = true, message = msg.id } }
end
