// The forms of the primitive data types (HL7 v2 2.A). Internal to the room.
#pragma once

#include <string>
#include <string_view>

namespace cannula::hl7v2 {

// Whether the type has a form: NM, SI, DT, TM and DTM.
bool has_form(std::string_view type);

// What is wrong with a text of the type, as "is no number"; empty when nothing is, or when the type
// has no form of its own (ST, TX …). The message never holds the text.
std::string_view wrong_with(std::string_view type, std::string_view text);

}  // namespace cannula::hl7v2
