// What differs between two messages, value by value.
//
// Segments are brought together first: those that are the same on both sides stay in order, and
// between them segments of one name belong together, by what identifies them where that is known
// (OBX-3, OBR-4 …), else one after the other. So an OBX put in between is one added segment, not a
// change of all that follow. A segment in another place is removed and added.
//
// Texts are compared as they read, so the same value with other delimiters, with other escapes or
// with trailing separators is no difference; HL7 null and not populated differ. Cost grows with the
// size of the messages, times the logarithm of their segments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/path.h"

namespace cannula::hl7v2 {

struct Difference {
  enum class Kind { added, removed, changed };

  Kind kind = Kind::changed;
  // Where: a value ("OBX[2]-5.1") or, for a segment that only one side has, that segment
  // ("OBX[2]"). Counted in the message that has it, in the later one where both do.
  Path path;
  std::string before;  // the text as it reads, of a segment as encoded; empty when added
  std::string after;   // empty when removed
  // Where the value or its segment stands in either; nullopt where it does not.
  std::optional<Place> before_place;
  std::optional<Place> after_place;
};

struct DiffOptions {
  // Places that are not compared: a segment, a field or a component, of all segments of that name
  // ("MSH-7"). What else such a path names is not looked at.
  std::vector<Path> ignore;
};

// In the order of the later message, what was removed at the place where it stood.
std::vector<Difference> diff(const Message& before, const Message& after,
                             const DiffOptions& options = {});

}  // namespace cannula::hl7v2
