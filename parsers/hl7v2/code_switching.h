// `\Cxxyy\` and `\Mxxyyzz\` (2.6.3): the letters behind them are of another character set than the
// message's own, as "\M2442\;3ED\C2842\" is 山田 in JIS X 0208. The digits are those of the escape
// sequence of ISO 2022 that would switch.
//
// The bytes behind a switch may be those of delimiters, so they are read before the message is
// divided. A switch holds until the next one, else until the next delimiter or line end, so that a
// sequence which was forgotten costs one component; `\C2842\`, ASCII, leads back to the message's
// own set. Stateless; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/hl7v2/delimiters.h"
#include "parsers/text/character_set.h"

namespace cannula::hl7v2 {

// Sets that can be switched to: ISO IR87, ISO IR159, ISO IR13 and those of ISO 8859 that 2.6.3
// lists. Each is a bit.
using Switches = std::uint32_t;

// The set that a repetition of MSH-18 names; 0 when it is none of them.
Switches switch_named(std::string_view name);

// A piece of a decoded text that encode() would write in other bytes than it came in.
struct Kept {
  std::size_t offset;  // in the decoded text
  std::size_t size;    // there
  std::string bytes;   // as received
};

struct Switched {
  std::string text;  // valid UTF-8
  std::vector<Kept> kept;
  std::size_t undecodable = 0;  // characters that are U+FFFD in the text
  Switches used = 0;
};

// Whether there is a sequence that switches to one of the sets.
bool has_switches(std::string_view bytes, const Delimiters& delimiters);

// What stands before the first switch and behind the last is read in `set`.
Switched decode_switched(std::string_view bytes, CharacterSet set, const Delimiters& delimiters);

// Each character in `set`, or in the first of `allowed` that has it, between a switch and \C2842\.
// Fails (D204) naming the first character that none has.
Result<std::string> encode_switched(std::string_view text, CharacterSet set, Switches allowed,
                                    const Delimiters& delimiters);

}  // namespace cannula::hl7v2
