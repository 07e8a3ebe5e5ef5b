// The stable codes of errors and diagnostics. Each room keeps its own list beside the code that
// raises them; the pages in docs/reference/errors.md are generated from all lists, and `cannula
// explain CODE` prints one.
#pragma once

#include <span>
#include <string_view>

namespace cannula {

// Letters: A audit · H HL7 v2 · T transports · M MLLP · F files · C configuration · J store and
// journal · K keys · L Lua · N JSON and the tree · E FHIR · P pipeline and partners · U usage of
// the command line · D dates, time zones and character sets · R1 tables · R2 the rules language ·
// R3 units · V channel tests.
struct ErrorCode {
  std::string_view code;         // "C103"
  std::string_view title;        // one line: what it means
  std::string_view explanation;  // why it happens and what to do, in sentences
};

}  // namespace cannula

namespace cannula::text {

std::span<const ErrorCode> error_codes();  // D1xx

}  // namespace cannula::text
