// What a message holds that the standard, a site's profile or its Z segments do not allow: all of
// it, with the exact place, and never a refusal. What to do about it is the caller's policy.
//
//   for (const Finding& each : validate(message)) …   // by the version that MSH-12 names
//
// Checked, by the dictionary of the message's version: that required segments and fields are there;
// that no segment is unknown, out of order or there too often; lengths, repetitions, codes of the
// tables that HL7 keeps, and the primitive types NM, SI, DT, TM, TS/DTM; what is kept for older
// receivers only. Then the rules of a profile. Not checked: conditional fields (the standard's
// conditions are prose; a profile can say them), and user-defined tables, which each site fills.
//
// Severity. error: a receiver that goes by the standard cannot use it. warning: it can, but the
// sender should know. note: allowed, and worth knowing. A receiver must take more than it expects
// (2.7.1), so what is beyond a definition is a note.
//
// Cost grows linearly with the message. Threads: any; the rules are not changed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/message.h"
#include "parsers/text/diagnostic.h"

namespace cannula::hl7v2 {

class Profile;
class SiteSegments;

struct Finding {
  Severity severity = Severity::error;
  std::string_view code;       // "H701", of static storage; each has a page in the reference
  std::string path;            // the exact place: "PID-3[2].1"
  std::string group_path;      // without repetitions, to count by: "PID-3.1"
  std::string message;         // what was found and expected; holds no value but codes
  std::string_view condition;  // of table 0357, for ERR-3: "101"; of static storage
  Place place;                 // of what is missing, its segment or, without one, MSH
};

struct ValidationRules {
  std::optional<Version> version;               // in place of what MSH-12 says
  const SiteSegments* site_segments = nullptr;  // the site's own definitions of Z segments
  std::vector<const Profile*> profiles{};       // each looks at the messages it is for
  std::size_t limit = 1000;  // findings kept; a last note says how many more there are
};

// In the order of the message's segments; what the structure lacks comes where it should stand.
std::vector<Finding> validate(const Message& message, const ValidationRules& rules = {});

// For the caret renderer: the span is where the value stands in `message.received()`, or its
// segment; none in an edited message.
Diagnostic diagnostic_of(const Finding& finding, const Message& message);

// ERR-2 as encoded text with the usual delimiters: "PID^1^3^2^1" (2.A.28, ERL).
std::string error_location(const Finding& finding, const Message& message);

}  // namespace cannula::hl7v2
