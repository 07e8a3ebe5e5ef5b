// Messages of the sequence number protocol (HL7 v2 2.9.1): payloads with their number in MSH-13,
// and what opens a link.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "parsers/hl7v2/header.h"
#include "parsers/text/result.h"
#include "parsers/text/span.h"

namespace cannula::mllp {

// Whether a payload can bear a number. M211: it is no single message, or does not ask for an
// acknowledgement in any case, which the protocol cannot do without.
Result<void> can_be_numbered(std::string_view payload);

// The payload with this number in MSH-13, and not a byte changed beside.
Result<std::string> numbered(const Bytes& payload, std::int64_t number);

// MSH alone, addressed as the message of this header is: "the segments beyond the MSH need not be
// present" (item f). `control_id` needs no escaping; `time` in microseconds since 1970.
std::string opening_message(const hl7v2::Header& header, std::int64_t number,
                            std::string_view control_id, std::int64_t time);

}  // namespace cannula::mllp
