// The texts inside JSON: UTF-8, escapes, numbers (RFC 8259).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cannula::tree {

// The first byte that does not belong to a UTF-8 sequence (RFC 3629), or npos.
std::size_t find_not_utf8(std::string_view text);
// The first character that must not stand in a JSON string as it is (quote, backslash, control),
// or npos.
std::size_t find_special(std::string_view text);
// Whether the text is ASCII and stands for itself in a JSON string: most are.
bool is_plain(std::string_view text);
// The first backslash whose escape is wrong, or npos: not one of RFC 8259, 7, or half a surrogate
// pair.
std::size_t find_bad_escape(std::string_view encoded);
// Appends the inside of a JSON string, whose escapes are right, decoded.
void append_decoded(std::string& out, std::string_view encoded);

}  // namespace cannula::tree
