// The characters that divide a message. MSH-1 and MSH-2 name them; the segment terminator alone is
// fixed (HL7 v2 2.4.4).
#pragma once

#include <string>

namespace cannula::hl7v2 {

// A char of zero means that the message names no such delimiter, so nothing is split or escaped by
// it.
struct Delimiters {
  char field = '|';
  char component = '^';
  char repetition = '~';
  char escape = '\\';
  char subcomponent = '&';
  char truncation = 0;  // '#' where MSH-2 has a fifth character (2.4.5.2)

  friend bool operator==(const Delimiters&, const Delimiters&) = default;
};

}  // namespace cannula::hl7v2
