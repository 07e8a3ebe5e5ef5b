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

// An HL7 v2 time as dateTime; nullopt when it is none. Its offset is its own, else that of MSH-7 of
// `message`, which may be null: of the message that the run received, else that of the channel's
// timezone. Where there is none of them, a script error.
std::optional<std::string> to_date_time(lua_State* L, std::string_view text,
                                        const hl7v2::Message* message);
// What a CWE or CE says, for people: its text, else its code in brackets; empty when it says
// nothing.
std::string concept_in_words(const hl7v2::Encoded& encoded);
// Pushes the CWE or CE as CodeableConcept; false, and nothing pushed, when it says nothing.
bool push_concept(lua_State* L, const hl7v2::Encoded& encoded);

// fhir.date, fhir.name and so on.
std::span<const Binding> fhir_converters();

}  // namespace cannula::script
