// Quantities and what else an OBX says, as FHIR.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/script/lua_api.h"
#include "engine/script/registry.h"
#include "parsers/hl7v2/values.h"

namespace cannula::script {

// OBX-6: as the laboratory writes it, and UCUM's term; empty where it has none.
struct Unit {
  std::string shown;
  std::string code;
};
// A CWE or CE, or a text alone. With UCUM as its system the code is taken as it is, where it is a
// term that a laboratory can mean, and the alternate identifier is the laboratory's own writing;
// else the code is what the text means in UCUM.
Unit unit_of(const hl7v2::Encoded& encoded);
Unit unit_at(const hl7v2::Message& message, const hl7v2::Place& place);

// Pushes { value, comparator, unit, system, code }, of which what is empty is left out.
void push_quantity(lua_State* L, std::string_view number, std::string_view comparator,
                   const Unit& unit);

// fhir.value, fhir.range, fhir.interpretation, fhir.by_identifier.
std::span<const Binding> fhir_observation_converters();

}  // namespace cannula::script
