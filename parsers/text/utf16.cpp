#include "parsers/text/utf16.h"

namespace cannula {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

void append_utf8(std::string& out, std::uint32_t character) {
  if (character < 0x80) {
    out += static_cast<char>(character);
    return;
  }
  if (character < 0x800) {
    out += static_cast<char>(0xC0 | character >> 6);
  } else {
    if (character < 0x10000) {
      out += static_cast<char>(0xE0 | character >> 12);
    } else {
      out += static_cast<char>(0xF0 | character >> 18);
      out += static_cast<char>(0x80 | (character >> 12 & 0x3F));
    }
    out += static_cast<char>(0x80 | (character >> 6 & 0x3F));
  }
  out += static_cast<char>(0x80 | (character & 0x3F));
}

std::uint32_t unit_at(std::string_view bytes, std::size_t at, Utf16 order) {
  const std::uint32_t first = static_cast<unsigned char>(bytes[at]);
  const std::uint32_t second = static_cast<unsigned char>(bytes[at + 1]);
  return order == Utf16::big_endian ? first << 8 | second : second << 8 | first;
}

bool begins_with(std::string_view bytes, std::string_view start, Utf16 order) {
  std::size_t at = 0;
  while (at + 1 < bytes.size() && at < 64) {
    const std::uint32_t unit = unit_at(bytes, at, order);
    if (unit != ' ' && unit != '\r' && unit != '\n' && unit != 0x0B) break;
    at += 2;
  }
  if (bytes.size() < at + 2 * start.size()) return false;
  for (const char letter : start) {
    if (unit_at(bytes, at, order) != static_cast<unsigned char>(letter)) return false;
    at += 2;
  }
  return true;
}

}  // namespace

Utf16 find_utf16(std::string_view bytes, std::string_view start) {
  if (bytes.starts_with("\xFF\xFE")) return Utf16::little_endian;
  if (bytes.starts_with("\xFE\xFF")) return Utf16::big_endian;
  for (const Utf16 order : {Utf16::little_endian, Utf16::big_endian}) {
    if (begins_with(bytes, start, order)) return order;
  }
  return Utf16::none;
}

std::string decode_utf16(std::string_view bytes, Utf16 order) {
  std::string out;
  out.reserve(bytes.size());
  std::size_t at = 0;
  for (; at + 1 < bytes.size(); at += 2) {
    const std::uint32_t unit = unit_at(bytes, at, order);
    if (unit < 0xD800 || unit > 0xDFFF) {
      append_utf8(out, unit);
      continue;
    }
    const std::uint32_t next = at + 3 < bytes.size() ? unit_at(bytes, at + 2, order) : 0;
    if (unit > 0xDBFF || next < 0xDC00 || next > 0xDFFF) {
      append_utf8(out, kReplacement);
      continue;
    }
    append_utf8(out, 0x10000 + ((unit - 0xD800) << 10 | (next - 0xDC00)));
    at += 2;
  }
  if (at < bytes.size()) append_utf8(out, kReplacement);
  return out;
}

std::string encode_utf16(std::string_view text, Utf16 order) {
  std::string out;
  out.reserve(text.size() * 2);
  const auto add = [&](std::uint32_t unit) {
    const char low = static_cast<char>(unit & 0xFF);
    const char high = static_cast<char>(unit >> 8);
    out += order == Utf16::big_endian ? high : low;
    out += order == Utf16::big_endian ? low : high;
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at++]);
    const int more = first < 0xC0 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    std::uint32_t character = more == 0 ? first : first & (0x3Fu >> more);
    for (int i = 0; i < more && at < text.size(); ++i) {
      character = character << 6 | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
    }
    if (character < 0x10000) {
      add(character);
    } else {
      add(0xD800 + ((character - 0x10000) >> 10));
      add(0xDC00 + ((character - 0x10000) & 0x3FF));
    }
  }
  return out;
}

}  // namespace cannula
