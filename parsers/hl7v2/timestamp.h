// HL7 v2 date and time texts: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ] (2.A.22, DTM).
#pragma once

#include <cstdint>
#include <string>

namespace cannula::hl7v2 {

// "20260115093042.123+0000": UTC, milliseconds. `microseconds` since 1970-01-01; years 0001 to
// 9999, else clamped.
std::string format_timestamp(std::int64_t microseconds);

}  // namespace cannula::hl7v2
