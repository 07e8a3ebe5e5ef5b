// Payloads as people compare them: HL7 v2 by segment and field, JSON by member with numbers digit
// for digit, anything else by line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::trial {

enum class Format { hl7v2, json, text };
Format format_of(std::string_view bytes);

// In UTF-8 and with line feeds, as expected payloads stand in files: HL7 v2 a segment a line, JSON
// indented with its members and digits as they are.
std::string readable(std::string_view bytes);

// As a message comes in: segments of an HL7 v2 text without any CR are ended by CR (2.4.2).
std::string as_message(std::string_view text);

// What differs, a line each, at most about 20; empty when the two mean the same. Of JSON the order
// of members does not count; of HL7 v2 neither the kind of line ends nor the character set does.
std::vector<std::string> differences(std::string_view expected, std::string_view actual);

// The text at a path: "PID-3.1" of HL7 v2, "entry[1].resource.status" of JSON (`[n]` from 1, `[*]`
// any). Empty when nothing is there; all texts where several are. Fails (V105) for a path that
// cannot be read, and for a payload that has no paths.
Result<std::vector<std::string>> pick(std::string_view bytes, std::string_view path);

}  // namespace cannula::trial
