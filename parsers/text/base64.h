// Base64 (RFC 4648) as it is sent: with or without padding, with line breaks or blanks in it.
#pragma once

#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula {

// Linear, about a gigabyte a second. Passes over blanks and line ends; the alphabet of URLs (- and
// _) is read too. Fails (D205) at a character that is in neither alphabet, at text behind the
// padding, and where the last group has a single character.
Result<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace cannula
