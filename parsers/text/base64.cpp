#include "parsers/text/base64.h"

#include <array>
#include <cstdint>

#include <fmt/format.h>

namespace cannula {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;
constexpr std::uint8_t kBlank = 0xFE;
constexpr std::uint8_t kPadding = 0xFD;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  for (std::uint8_t& value : values) value = kNone;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  values['-'] = 62;
  values['_'] = 63;
  values['='] = kPadding;
  for (const char blank : {' ', '\t', '\r', '\n'}) {
    values[static_cast<unsigned char>(blank)] = kBlank;
  }
  return values;
}();

std::uint8_t value_of(char letter) {
  return kValues[static_cast<unsigned char>(letter)];
}

Error wrong(std::string_view text, std::size_t at, std::string_view what) {
  return {"D205",
          fmt::format("this is not Base64: {} at character {} of {}", what, at + 1, text.size()),
          "look at what the sender put there: another encoding, or a text that was cut",
          Span{at, std::min(at + 1, text.size())}};
}

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.resize(text.size() / 4 * 3 + 3);
  char* to = out.data();
  std::size_t at = 0;
  std::uint32_t bits = 0;
  unsigned held = 0;  // characters in `bits`
  while (at < text.size()) {
    // Whole groups, as long as there is nothing else.
    while (held == 0 && text.size() - at >= 4) {
      const std::uint32_t a = value_of(text[at]);
      const std::uint32_t b = value_of(text[at + 1]);
      const std::uint32_t c = value_of(text[at + 2]);
      const std::uint32_t d = value_of(text[at + 3]);
      if ((a | b | c | d) > 63) break;
      const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
      *to++ = static_cast<char>(group >> 16);
      *to++ = static_cast<char>(group >> 8);
      *to++ = static_cast<char>(group);
      at += 4;
    }
    if (at == text.size()) break;
    const std::uint8_t value = value_of(text[at]);
    if (value == kPadding) break;
    if (value == kNone) return wrong(text, at, "there is a character of no meaning");
    ++at;
    if (value == kBlank) continue;
    bits = bits << 6 | value;
    if (++held < 4) continue;
    *to++ = static_cast<char>(bits >> 16);
    *to++ = static_cast<char>(bits >> 8);
    *to++ = static_cast<char>(bits);
    held = 0;
    bits = 0;
  }
  for (; at < text.size(); ++at) {
    const std::uint8_t value = value_of(text[at]);
    if (value != kPadding && value != kBlank)
      return wrong(text, at, "there is text behind the end");
  }
  if (held == 1) return wrong(text, text.size(), "the last group is not whole");
  if (held >= 2) *to++ = static_cast<char>(bits >> (held == 2 ? 4 : 10));
  if (held == 3) *to++ = static_cast<char>(bits >> 2);
  out.resize(static_cast<std::size_t>(to - out.data()));
  return out;
}

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t there = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < there ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= there ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return out;
}

}  // namespace cannula
