// Bytes as hexadecimal digits, for keys in text files.
#pragma once

#include <string>
#include <string_view>

namespace cannula::security {

std::string to_hex(std::string_view bytes);
// Appends the bytes; false when `digits` are not pairs of hexadecimal digits.
bool from_hex(std::string_view digits, std::string& into);

}  // namespace cannula::security
