-- Tables that HL7 has fixed, in FHIR's words. What a site decides for itself is in tables/, not here.
local standard = {}

-- OBX-11, HL7 table 0085, as status of an Observation. N (not asked) and O (order detail only) report no result: false.
standard.observation_status = {
  A = "amended",           -- amended, by the placer
  B = "amended",           -- appended
  C = "corrected",         -- replaces a final result
  D = "entered-in-error",  -- deletes the OBX
  F = "final",
  I = "registered",        -- specimen in the laboratory, results pending
  P = "preliminary",
  R = "preliminary",       -- entered, not verified
  S = "preliminary",       -- partial
  U = "final",             -- status changes to final, the value is not sent again
  V = "final",             -- verified
  W = "entered-in-error",  -- posted as wrong, for example for the wrong patient
  X = "cancelled",         -- cannot be obtained
  N = false,
  O = false,
}

return standard
