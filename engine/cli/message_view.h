// An HL7 v2 message as people read it: its segments in the groups they stand in, each value with
// the path that scripts use for it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "parsers/hl7v2/message.h"

namespace cannula::cli {

// Where a segment stands in the message's structure: the groups around it, the outermost first, as
// "ORDER_OBSERVATION" or, where it comes several times, "ORDER_OBSERVATION[2]". Empty lists when
// the structure is not known.
std::vector<std::vector<std::string>> groups_of_segments(const hl7v2::Message& message);

// "ORU^R01, control id 4711, version 2.5.1, 12 segments".
std::string headline(const hl7v2::Message& message);
std::string message_text(const hl7v2::Message& message);
std::string segments_text(const hl7v2::Message& message);  // a line a segment, encoded
nlohmann::ordered_json message_json(const hl7v2::Message& message);

}  // namespace cannula::cli
