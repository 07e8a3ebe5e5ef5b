-- What all channels of Riverside share: whose identifiers are whose, and how a patient is written as FHIR.
local house = {}

-- The namespaces of Riverside's identifiers in the EHR.
house.systems = {
  patient     = "https://riverside.example/id/patient",        -- the clinic's record number
  visit       = "https://riverside.example/id/visit",
  order       = "https://riverside.example/id/order",
  report      = "https://riverside.example/id/report",
  observation = "https://riverside.example/id/observation",
  code        = "https://riverside.example/codes/laboratory",  -- the laboratories' own, beside LOINC
}

-- Assigning authorities, as they stand in CX.4, by the namespace of their numbers.
local authorities = { RIVERSIDE = house.systems.patient, COUNTY = "https://county.example/id/patient" }

-- What the conversion makes of each repetition of a field; nil when there is nothing.
function house.each(field, convert)
  local made = {}
  for repetition in field:each() do
    made[#made + 1] = convert(repetition)
  end
  return #made > 0 and made or nil
end

-- The number that Riverside knows a patient by, in PID-3 or MRG-1: the one of type MR, or the only one there is.
function house.patient_number(field)
  local first
  for repetition in field:each() do
    local number = repetition[1]:text()
    if number ~= "" and not repetition:isnull() then
      first = first or number
      if repetition[5]:is("MR") then return number end
    end
  end
  return first
end

-- A patient's identifiers: Riverside's number first, then those of others.
function house.identifiers(field, number)
  local made = { { type = { coding = { { system = "http://terminology.hl7.org/CodeSystem/v2-0203", code = "MR" } } },
                   system = house.systems.patient, value = number } }
  for repetition in field:each() do
    if not repetition[1]:is(number) then
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
