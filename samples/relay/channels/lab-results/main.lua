-- Results as the EHR wants them: its names in the header, LOINC where the house has a code, no withdrawn values.
local house = require("house")

function main(msg)
  if msg.type ~= "ORU^R01" then return skip("not a result: " .. (msg.type or "no type")) end
  if not msg["PID-3.1"] then return reject("no patient number in PID-3") end

  msg["MSH-3"], msg["MSH-4"] = "CANNULA", "GENERAL"
  msg["PID-3.5"] = "MR"
  for obx in msg:each("OBX") do
    local loinc = house.loinc(obx["3.1"])
    if loinc then obx["3.1"], obx["3.3"] = loinc, "LN" end
  end

  house.stamp(msg)
  send("ehr", msg)
  log.info("result passed on", { accession = msg["OBR-3"], patient = phi(msg["PID-3.1"]) })
end
