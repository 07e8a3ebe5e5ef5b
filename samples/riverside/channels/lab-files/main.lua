-- Results of the county laboratory; the way that all laboratories' results take is in lib/results.lua.
local results = require("results")

function main(msg)
  results.route(msg)
end
