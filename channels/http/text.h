// The few things that header names and values are asked (RFC 9110, 5.1 and 5.5). Internal to the
// room.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace cannula::http {

constexpr char to_lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
}

inline std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), to_lower);
  return small;
}

inline bool iequals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A token of RFC 9110, 5.6.2: what methods and header names are made of.
inline bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [kMarks](char c) {
    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// A value without control characters, so that it cannot become another header.
inline bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char byte) {
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

// "application/json; charset=utf-8" -> "application/json"
inline std::string_view media_type(std::string_view content_type) {
  return trimmed(content_type.substr(0, content_type.find(';')));
}

}  // namespace cannula::http
