// Segments against the message structure. Internal to the room.
#pragma once

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/validation/findings.h"

namespace cannula::hl7v2 {

// What is missing, there too often, out of order or not part of the structure. Z segments and those
// that the dictionary does not know may stand anywhere.
void check_structure(const Message& message, const Dictionary& words,
                     const StructureDefinition& definition, Findings& findings);

}  // namespace cannula::hl7v2
