// Moments as text: ISO 8601, HL7 v2 timestamps, and formats of the script's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "parsers/text/result.h"
#include "parsers/text/time_zone.h"

namespace cannula::script {

// "2026-01-15T09:30:42.123456Z", of microseconds since 1970-01-01 UTC.
std::string iso_time(std::int64_t microseconds);
void append_iso_time(std::string& out, std::int64_t microseconds);

// As a clock in `zone` shows it: %Y %m %d %H %M %S, %L milliseconds, %f microseconds, %z "+0100",
// %Z "+01:00", %%. Fails (L224) for any other letter.
Result<std::string> format_time(std::int64_t microseconds, std::string_view format,
                                const TimeZone& zone);

// HL7 v2 (2.A.22) or ISO 8601, from the year to fractions of a second. A text without an offset is
// what a clock in `zone` showed. Fails (L224) with what is wrong.
Result<std::int64_t> parse_time(std::string_view text, const TimeZone& zone);

}  // namespace cannula::script
