// The characters that divide a message. MSH-1 and MSH-2 name them; the segment terminator alone is
// fixed (HL7 v2 2.4.4).
#pragma once

#include <cstddef>
#include <string_view>

#include "parsers/text/result.h"

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

// Where MSH stands, behind a byte order mark, blanks, line ends and an MLLP start block. Fails
// (H101, H105) when something else stands there; the error shows at most a few printable characters
// of it.
Result<std::size_t> find_msh(std::string_view bytes);

// Reads MSH-1 and MSH-2 of a text that begins with "MSH" (or FHS, BHS). Fails (H102, H103).
Result<Delimiters> read_delimiters(std::string_view text);

}  // namespace cannula::hl7v2
