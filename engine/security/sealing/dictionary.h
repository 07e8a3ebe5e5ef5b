// Text that is much like what is sealed: HL7 v2 messages and FHIR resources of nobody. What stands
// here too takes a few bytes in a sealed record, and is found faster than it is coded.
//
// Records on disk were made with exactly these bytes: a better text is another dictionary, with
// another number, beside this one.
#pragma once

#include <string>

namespace cannula::security {

// Number 1, as raw content. Made at the first call.
const std::string& first_dictionary();
// Number 2, as a dictionary of zstd's own format: the text of the first behind tables of codes, so
// that the few bytes that are not in it need no tables of their own. Made at the first call.
const std::string& second_dictionary();

}  // namespace cannula::security
