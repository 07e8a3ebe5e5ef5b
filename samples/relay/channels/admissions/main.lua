-- Every admission event goes to the EHR and, as it was received, to the archive.
local house = require("house")

local passed_on = { A01 = true, A02 = true, A03 = true, A04 = true, A08 = true, A11 = true, A31 = true, A40 = true }

function main(msg)
  if not passed_on[msg["MSH-9.2"]] then return skip("the EHR has no use for " .. (msg.type or "no type")) end

  send("archive", msg)

  msg["MSH-3"], msg["MSH-4"] = "CANNULA", "GENERAL"
  house.stamp(msg)
  send("ehr", msg)
end
