// A batch or file: [FHS]{[BHS]{MSH …}[BTS]}[FTS], or simply several messages one after the other
// (HL7 v2 2.10.3).
#pragma once

#include <string_view>
#include <vector>

#include "parsers/text/span.h"

namespace cannula::hl7v2 {

// Where each message of `bytes` stands, from its MSH up to the next MSH, batch or file segment, or
// the end; MLLP start and end blocks between messages belong to none. Empty when there is no MSH at
// the start of a line.
std::vector<Span> split_messages(std::string_view bytes);

// Whether there is more than one message, or a batch or file header (FHS, BHS) before the first.
bool is_batch(std::string_view bytes);

}  // namespace cannula::hl7v2
