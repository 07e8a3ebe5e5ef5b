// Quantities and what else an OBX says, as FHIR.
#pragma once

#include <functional>
#include <map>
#include <optional>
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

// What unit_of() says, worked out once a state for the few dozen units that a laboratory uses.
class UnitCache {
 public:
  // The reference lives until the next call.
  const Unit& find(const hl7v2::Encoded& encoded);

 private:
  static constexpr std::size_t kMost = 256;    // emptied when there are as many
  static constexpr std::size_t kLongest = 80;  // bytes; longer texts are worked out each time

  hl7v2::Delimiters delimiters_;  // of all that are kept
  std::map<std::string, Unit, std::less<>> units_;
  Unit uncached_;
};

inline constexpr std::string_view kUcum = "http://unitsofmeasure.org";
inline constexpr std::string_view kInterpretationSystem =
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";

// The limits that an OBX-7 names, "3.5-5.1", "<5", ">=60": empty where it names none. nullopt where
// nothing stands.
struct RangeText {
  std::string low;
  std::string high;
};
std::optional<RangeText> range_of(std::string_view text);

// Calls `each` with the code and its name in table 0078, or with the text and "" where FHIR has no
// code for it, of each repetition of an OBX-8 in which something stands.
using EachInterpretation = std::function<void(std::string_view code, std::string_view name)>;
void interpretations(lua_State* L, const hl7v2::Message& message, hl7v2::Place place,
                     const EachInterpretation& each);

// Pushes { value, comparator, unit, system, code }, of which what is empty is left out.
void push_quantity(lua_State* L, std::string_view number, std::string_view comparator,
                   const Unit& unit);

// Push what fhir.range and fhir.interpretation give: nil where nothing stands.
void push_range(lua_State* L, std::string_view text,
                const std::function<const Unit&()>& unit_where_needed);
void push_interpretations(lua_State* L, const hl7v2::Message& message, const hl7v2::Place& place);

// fhir.value, fhir.range, fhir.interpretation, fhir.by_identifier.
std::span<const Binding> fhir_observation_converters();

}  // namespace cannula::script
