// UTF-16, as a few senders on Windows write files: told by its byte order mark or by a name that
// the text must begin with, and converted to UTF-8 and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cannula {

enum class Utf16 : std::uint8_t { none, little_endian, big_endian };

// By a byte order mark, or because the bytes are `start` (ASCII) in UTF-16 behind blanks.
Utf16 find_utf16(std::string_view bytes, std::string_view start);

// Half a pair and an odd byte at the end become U+FFFD. The byte order mark stays, as U+FEFF.
std::string decode_utf16(std::string_view bytes, Utf16 order);
// Of valid UTF-8.
std::string encode_utf16(std::string_view text, Utf16 order);

}  // namespace cannula
