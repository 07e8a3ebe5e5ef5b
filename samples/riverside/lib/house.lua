-- What all channels of Riverside share: whose identifiers are whose, and how a patient is written as FHIR.
local house = {}

-- The namespaces of Riverside's identifiers in the EHR.
house.systems = {
  patient     = "https://riverside.example/id/patient",        -- the clinic's record number
  visit       = "https://riverside.example/id/visit",
  order       = "https://riverside.example/id/order",
  report      = "https://riverside.example/id/report",
  observation = "https://riverside.example/id/observation",
  document    = "https://riverside.example/id/document",
  code        = "https://riverside.example/codes/laboratory",  -- the laboratories' own, beside LOINC
}

-- Other assigning authorities, as they stand in CX.4, by the namespace of their numbers.
local authorities = { COUNTY = "https://county.example/id/patient" }

-- What the conversion makes of each repetition of a field; nil when there is nothing.
function house.each(field, convert)
  local made = {}
  for repetition in field:each() do
    made[#made + 1] = convert(repetition)
  end
  return #made > 0 and made or nil
end

-- A text without the blanks around it; nil when nothing is left. Blanks at the end of a v2 string mean nothing.
function house.trimmed(text)
  if not text or not text:find("^%s") and not text:find("%s$") then return text end
  text = text:match("^%s*(.-)%s*$")
  return text ~= "" and text or nil
end

function house.append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

-- Who assigned the number of a CX, as it stands in CX.4.
local function authority(repetition)
  return repetition[4][1]:text()
end

-- The number that Riverside itself knows a patient by, in PID-3 or MRG-1: of type MR, and assigned by Riverside. Numbers of
-- others prove nothing, the same digits are somebody else here.
function house.patient_number(field)
  for repetition in field:each() do
    if repetition[5]:is("MR") and authority(repetition) == "RIVERSIDE" and not repetition[1]:isnull() then
      local number = house.trimmed(repetition[1]:text())
      if number and number ~= "" then return number end
    end
  end
end

-- A patient's identifiers: Riverside's number first, then those of others. Riverside's other numbers are not the patient's:
-- of a visit, of an account.
function house.identifiers(field, number)
  local made = { { type = { coding = { { system = "http://terminology.hl7.org/CodeSystem/v2-0203", code = "MR" } } },
                   system = house.systems.patient, value = number } }
  for repetition in field:each() do
    if authority(repetition) ~= "RIVERSIDE" then
      made[#made + 1] = fhir.identifier(repetition, authorities)
    end
  end
  return made
end

-- The patient of PID. What the sender leaves empty, or says to delete, is not there.
function house.patient(msg, number)
  local pid = msg.PID
  return fhir.Patient {
    identifier = house.identifiers(pid[3], number),
    active = true,
    name = house.each(pid[5], fhir.name),
    telecom = house.each(pid[13], fhir.telecom),
    gender = fhir.gender(pid["8"]),
    birthDate = fhir.date(pid["7"]),
    deceasedBoolean = pid["30"] == "Y" or nil,
    address = house.each(pid[11], fhir.address),
  }
end

return house
