#include "rules/tables/encoding.h"

#include <cstring>

#include <fmt/format.h>

namespace cannula::tables {
namespace {

constexpr std::string_view kHowToSave =
    "in Excel: File, Save As, type \"CSV UTF-8 (Comma delimited)\"; in LibreOffice: Save As, "
    "\"Text CSV\", character set \"Unicode (UTF-8)\"";

unsigned char byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

// The length of the UTF-8 sequence that stands there; 0 when it is none (RFC 3629, section 4).
std::size_t sequence_at(std::string_view text, std::size_t at) {
  const unsigned char first = byte_at(text, at);
  const unsigned char second = byte_at(text, at + 1);
  const auto is_tail = [](unsigned char byte) { return (byte & 0xC0) == 0x80; };
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !is_tail(second)) return 0;
  if (first < 0xE0) return 2;
  if (!is_tail(byte_at(text, at + 2))) return 0;
  if (first == 0xE0 && second < 0xA0) return 0;
  if (first == 0xED && second > 0x9F) return 0;
  if (first < 0xF0) return 3;
  if (!is_tail(byte_at(text, at + 3))) return 0;
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;
  return 4;
}

// Windows-1252, what Excel saves as "CSV" in most of Europe and America.
std::string windows_character(unsigned char byte) {
  static constexpr std::string_view kHigh[] = {
      "€", "",  "‚", "ƒ", "„", "…", "†", "‡", "ˆ", "‰", "Š", "‹", "Œ", "", "Ž", "",
      "",  "‘", "’", "“", "”", "•", "–", "—", "˜", "™", "š", "›", "œ", "", "ž", "Ÿ"};
  if (byte < 0xA0) return std::string(kHigh[byte - 0x80]);
  return {static_cast<char>(0xC0 | (byte >> 6)), static_cast<char>(0x80 | (byte & 0x3F))};
}

// The same text with every byte that is no UTF-8 read as Windows-1252, so that it can be shown.
std::string made_readable(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = sequence_at(text, at);
    if (size > 0) {
      out += text.substr(at, size);
    } else {
      const std::string shown = windows_character(byte_at(text, at));
      out += shown.empty() ? "?" : shown;
    }
    at += std::max<std::size_t>(size, 1);
  }
  return out;
}

Diagnostic whole_file(const std::shared_ptr<const Source>& source, std::string code,
                      std::string message, std::string_view hint) {
  // Without a line: it would be shown as garbage.
  return {Severity::error,
          std::move(code),
          std::move(message),
          source,
          std::nullopt,
          std::string(hint),
          {}};
}

}  // namespace

std::optional<std::size_t> first_not_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight;
    if (at + sizeof eight <= text.size()) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080U) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    const std::size_t size = sequence_at(text, at);
    if (size == 0) return at;
    at += size;
  }
  return std::nullopt;
}

std::optional<Diagnostic> not_readable(const std::shared_ptr<const Source>& source) {
  const std::string_view text = source->text();
  if (text.starts_with("PK\x03\x04") || text.starts_with("\xD0\xCF\x11\xE0")) {
    return whole_file(source, "R118",
                      "this is a spreadsheet in its program's own format (xlsx, ods or xls) with "
                      "the name of a CSV file",
                      kHowToSave);
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return whole_file(source, "R102", "this file is UTF-16 (\"Unicode Text\"), where UTF-8 is read",
                      kHowToSave);
  }
  const auto bad = first_not_utf8(text);
  if (bad) {
    const unsigned char byte = byte_at(text, *bad);
    const std::string shown = windows_character(byte);
    return Diagnostic{
        Severity::error,
        "R102",
        fmt::format("this file is not UTF-8: the byte {:02X} here is {}", byte,
                    shown.empty()
                        ? "no letter of it"
                        : fmt::format("`{}` in the older character set Windows-1252", shown)),
        std::make_shared<const Source>(source->name(), made_readable(text)),
        Span{*bad, *bad + std::max<std::size_t>(shown.size(), 1)},
        std::string(kHowToSave),
        {}};
  }
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    return Diagnostic{
        Severity::error,
        "R102",
        "a zero byte stands here, which no text has: the file may be UTF-16, or damaged",
        source,
        Span{zero, zero + 1},
        std::string(kHowToSave),
        {}};
  }
  return std::nullopt;
}

std::optional<Unseen> find_unseen(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kUnseen[] = {
      {"\xC2\xA0", "a non-breaking space (U+00A0)"},
      {"\xC2\xAD", "a soft hyphen (U+00AD)"},
      {"\xE2\x80\x8B", "a zero width space (U+200B)"},
      {"\xE2\x80\x8C", "a zero width non-joiner (U+200C)"},
      {"\xE2\x80\x8D", "a zero width joiner (U+200D)"},
      {"\xE2\x80\x8E", "a left-to-right mark (U+200E)"},
      {"\xE2\x80\xAF", "a narrow non-breaking space (U+202F)"},
      {"\xE2\x81\xA0", "a word joiner (U+2060)"},
      {"\xEF\xBB\xBF", "a byte order mark (U+FEFF)"}};
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte == 0x7F) {
      return Unseen{at, 1, byte == '\n' || byte == '\r' ? "a line end" : "a control character"};
    }
    if (byte < 0x80) continue;
    for (const auto& [bytes, name] : kUnseen) {
      if (text.substr(at).starts_with(bytes)) return Unseen{at, bytes.size(), name};
    }
  }
  return std::nullopt;
}

}  // namespace cannula::tables
