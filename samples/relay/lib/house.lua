-- What all channels of the hospital share.
local house = {}

-- Codes of the reference laboratory by the LOINC code the EHR files them under.
local loinc = {
  NA = "2951-2", K = "2823-3", CL = "2075-0", CREA = "2160-0", GLU = "2345-7", HBA1C = "59261-8",
  HGB = "718-7", WBC = "6690-2", CRP = "1988-5", TSH = "3016-3", FERR = "2276-4", B12 = "14685-2",
}

function house.loinc(code)
  return code and loinc[code]
end

-- Writes Cannula's id of the message into it, so that whoever receives it can name it on the telephone:
-- `cannula msg show ID` then shows its whole way.
function house.stamp(msg)
  msg["ZCN-1"] = msg.id
end

return house
