#include "parsers/hl7v2/delimiters.h"

#include <fmt/format.h>

namespace cannula::hl7v2 {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kLongestEncodingCharacters = 5;

bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}

// A printable character of ASCII that cannot be part of a name or a number, nor of the HL7 null "".
bool may_delimit(char c) {
  return c > ' ' && c < 0x7F && c != '"' && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
         !(c >= 'a' && c <= 'z');
}

std::string describe(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte < 0x7F ? fmt::format("'{}'", c) : fmt::format("byte 0x{:02X}", byte);
}

// The kind of bytes that stand where MSH was expected. Three characters are enough to tell formats
// apart and too few to name a patient.
Error no_msh(std::string_view rest, std::size_t offset) {
  const Span span{offset, offset + std::min<std::size_t>(rest.size(), 3)};
  if (rest.empty()) {
    return {"H101", "there is no message: nothing but blank bytes",
            "a message begins with MSH|^~\\&|", span};
  }
  const std::string_view start = rest.substr(0, 3);
  if (start == "FHS" || start == "BHS") {
    return {
        "H105",
        fmt::format("this is a batch: it begins with {}, where one message was expected", start),
        "split it into its messages first", span};
  }
  std::string hint = "a message begins with MSH|^~\\&|";
  if (start.substr(0, 2) == "\xFF\xFE" || start.substr(0, 2) == "\xFE\xFF" ||
      (rest.size() >= 2 && (rest[0] == '\0' || rest[1] == '\0'))) {
    hint = "this looks like UTF-16; HL7 v2 is sent as ASCII, UTF-8 or an ISO 8859 character set";
  } else if (start[0] == '<') {
    hint = "this looks like XML; HL7 v2 begins with MSH|^~\\&|";
  } else if (start[0] == '{' || start[0] == '[') {
    hint = "this looks like JSON; HL7 v2 begins with MSH|^~\\&|";
  }
  std::string found;
  for (char c : start) found += static_cast<unsigned char>(c) > ' ' && c < 0x7F ? c : '.';
  return {"H101",
          fmt::format("there is no MSH segment: the bytes begin with \"{}\" at offset {}", found,
                      offset),
          std::move(hint), span};
}

}  // namespace

Result<std::size_t> find_msh(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (is_blank(bytes[at]) && bytes[at] != '\0') {
      ++at;
    } else if (bytes.substr(at, kByteOrderMark.size()) == kByteOrderMark) {
      at += kByteOrderMark.size();
    } else {
      break;
    }
  }
  if (bytes.substr(at, 3) != "MSH") return no_msh(bytes.substr(at), at);
  return at;
}

Result<Delimiters> read_delimiters(std::string_view text) {
  const std::string_view name = text.substr(0, 3);
  if (text.size() < 4 || text[3] == '\r' || text[3] == '\n') {
    return Error{"H102", fmt::format("{} ends before it names a field separator", name),
                 "a message begins with MSH|^~\\&|",
                 Span{0, std::min<std::size_t>(text.size(), 3)}};
  }
  Delimiters delimiters;
  delimiters.field = text[3];
  if (!may_delimit(delimiters.field)) {
    return Error{"H103",
                 fmt::format("{} cannot be the field separator", describe(delimiters.field)),
                 "the sender's MSH-1 must be a punctuation character, as a rule '|'", Span{3, 4}};
  }
  const std::string_view rest = text.substr(4);
  std::size_t length = 0;
  while (length < rest.size() && rest[length] != delimiters.field && !is_blank(rest[length]))
    ++length;
  if (length == 0) {
    return Error{"H102", "MSH-2 is empty: the message does not name its delimiters",
                 "the sender's MSH-2 should be ^~\\&", Span{4, 4}};
  }
  const std::string_view characters = rest.substr(0, std::min(length, kLongestEncodingCharacters));

  for (std::size_t i = 0; i < characters.size(); ++i) {
    const bool twice = characters.find(characters[i], i + 1) != std::string_view::npos;
    if (!may_delimit(characters[i]) || twice) {
      return Error{
          "H103",
          fmt::format("{} in MSH-2 cannot be a delimiter: {}", describe(characters[i]),
                      twice ? "it stands there twice" : "it is not a punctuation character"),
          "the sender's MSH-2 should be ^~\\&", Span{4 + i, 5 + i}};
    }
  }
  const auto character = [&](std::size_t i) {
    return i < characters.size() ? characters[i] : '\0';
  };
  delimiters.component = character(0);
  delimiters.repetition = character(1);
  delimiters.escape = character(2);
  delimiters.subcomponent = character(3);
  delimiters.truncation = character(4);
  if (characters.size() == 3 && characters[2] == '&') {
    // "^~&" is seen in the wild: a sender without escapes, not one that escapes with '&'.
    delimiters.escape = 0;
    delimiters.subcomponent = '&';
  }
  return delimiters;
}

}  // namespace cannula::hl7v2
