// HL7 v2 values as FHIR data types.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/script/lua_api.h"
#include "engine/script/registry.h"
#include "parsers/hl7v2/values.h"

namespace cannula::script {

// An HL7 v2 time as dateTime; nullopt when it is none. Without an offset, and without a timezone of
// the channel, a script error.
std::optional<std::string> to_date_time(lua_State* L, std::string_view text);
// Pushes the CWE or CE as CodeableConcept; false, and nothing pushed, when it says nothing.
bool push_concept(lua_State* L, const hl7v2::Encoded& encoded);

// fhir.date, fhir.name and so on.
std::span<const Binding> fhir_converters();

}  // namespace cannula::script
