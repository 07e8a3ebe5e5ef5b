#include "parsers/hl7v2/escape.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace cannula::hl7v2 {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool is_hex(std::string_view text) {
  for (char c : text) {
    if (hex_value(c) < 0) return false;
  }
  return true;
}

// The delimiter that a sequence of one letter stands for, or 0. A letter without a delimiter in
// this message (\T\ where MSH-2 has three characters) stands for the one that the standard
// recommends.
char delimiter_of(char letter, const Delimiters& delimiters) {
  switch (letter) {
    case 'F':
      return delimiters.field;
    case 'S':
      return delimiters.component;
    case 'R':
      return delimiters.repetition ? delimiters.repetition : '~';
    case 'E':
      return delimiters.escape;
    case 'T':
      return delimiters.subcomponent ? delimiters.subcomponent : '&';
    case 'P':
      return delimiters.truncation ? delimiters.truncation : '#';
    default:
      return 0;
  }
}

// Appends what the sequence (without its escape characters) stands for; false when it stays as it
// is.
bool decode(std::string& out, std::string_view sequence, const Delimiters& delimiters) {
  if (sequence.size() == 1) {
    const char delimiter = delimiter_of(sequence[0], delimiters);
    if (delimiter == 0) return false;
    out += delimiter;
    return true;
  }
  if (sequence.size() < 3 || sequence.size() % 2 == 0 || sequence[0] != 'X' ||
      !is_hex(sequence.substr(1)))
    return false;
  for (std::size_t i = 1; i < sequence.size(); i += 2) {
    out += static_cast<char>(hex_value(sequence[i]) * 16 + hex_value(sequence[i + 1]));
  }
  return true;
}

// .sp .br .fi .nf .in .ti .sk .ce, with a number where one may stand (2.6.7).
bool is_formatting(std::string_view sequence) {
  static constexpr std::array<std::string_view, 8> kCommands = {".sp", ".br", ".fi", ".nf",
                                                                ".in", ".ti", ".sk", ".ce"};
  const std::string_view command = sequence.substr(0, 3);
  bool known = false;
  for (std::string_view candidate : kCommands) known = known || command == candidate;
  if (!known) return false;
  std::string_view number = sequence.substr(3);
  if (!number.empty() && (number[0] == '+' || number[0] == '-')) number.remove_prefix(1);
  if (number.size() > 4 || (number.empty() && sequence.size() > 3)) return false;
  for (char c : number) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

// Whether the standard gives the sequence a meaning that unescape() does not resolve.
bool stays(std::string_view sequence, const Delimiters& delimiters) {
  if (sequence.empty() || sequence.size() > 64) return false;
  const std::string_view digits = sequence.substr(1);
  bool known = false;
  switch (sequence[0]) {
    case 'H':
    case 'N':
      known = digits.empty();
      break;
    case '.':
      known = is_formatting(sequence);
      break;
    case 'C':
      known = digits.size() == 4 && is_hex(digits);
      break;
    case 'M':
      known = (digits.size() == 4 || digits.size() == 6) && is_hex(digits);
      break;
    case 'Z':
      known = !digits.empty() && digits.size() % 2 == 0 && is_hex(digits);
      break;
    default:
      break;
  }
  if (!known) return false;
  for (char c : sequence) {
    if (c == delimiters.field || c == delimiters.component || c == delimiters.repetition ||
        c == delimiters.subcomponent || c == delimiters.truncation) {
      return false;
    }
  }
  return true;
}

// The letter that escapes `c`, 'X' for a line end, 0 where nothing needs it. The truncation
// character means something only as the last of a truncated field (2.4.5.2), so it is left alone
// inside a text: see escape_to.
char letter_of(char c, const Delimiters& delimiters) {
  if (c == '\r' || c == '\n') return 'X';
  if (c == delimiters.field) return 'F';
  if (c == delimiters.component) return 'S';
  if (c == 0) return 0;
  if (c == delimiters.repetition) return 'R';
  if (c == delimiters.escape) return 'E';
  if (c == delimiters.subcomponent) return 'T';
  return 0;
}

}  // namespace

void unescape_to(std::string& out, std::string_view encoded, const Delimiters& delimiters) {
  if (delimiters.escape == 0) {
    out += encoded;
    return;
  }
  std::size_t at = 0;
  while (true) {
    const std::size_t open = encoded.find(delimiters.escape, at);
    out += encoded.substr(at, open - at);
    if (open == std::string_view::npos) return;
    const std::size_t close = encoded.find(delimiters.escape, open + 1);
    if (close == std::string_view::npos) {
      out += encoded.substr(open);
      return;
    }
    const std::string_view sequence = encoded.substr(open + 1, close - open - 1);
    if (decode(out, sequence, delimiters)) {
      at = close + 1;
    } else if (stays(sequence, delimiters)) {
      out += encoded.substr(open, close + 1 - open);
      at = close + 1;
    } else {
      // Not a sequence: the second escape character may begin one, as in C:\temp\T\more.
      out += encoded.substr(open, close - open);
      at = close;
    }
  }
}

std::string unescape(std::string_view encoded, const Delimiters& delimiters) {
  std::string out;
  out.reserve(encoded.size());
  unescape_to(out, encoded, delimiters);
  return out;
}

namespace {

// Appends what a sequence is to plain text; false when it is nothing that formats.
bool format(std::string& out, std::string_view sequence) {
  if (sequence == "H" || sequence == "N") return true;
  if (sequence.empty() || sequence[0] != '.' || !is_formatting(sequence)) return false;
  const std::string_view command = sequence.substr(1, 2);
  std::size_t number = 0;
  bool negative = false;
  for (const char c : sequence.substr(3)) {
    negative = negative || c == '-';
    if (c >= '0' && c <= '9') number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  number = std::min<std::size_t>(negative ? 0 : number, 200);
  if (command == "br" || command == "ce" || command == "nf") {
    out += '\n';
  } else if (command == "sp") {
    out.append(std::max<std::size_t>(number, 1), '\n');
  } else if (command != "fi") {
    out.append(number, ' ');
  }
  return true;
}

}  // namespace

std::string formatted(std::string_view encoded, const Delimiters& delimiters) {
  std::string out;
  out.reserve(encoded.size());
  std::size_t at = 0;
  std::size_t decoded = 0;  // up to here it is in `out`
  while (delimiters.escape != 0) {
    const std::size_t open = encoded.find(delimiters.escape, at);
    if (open == std::string_view::npos) break;
    const std::size_t close = encoded.find(delimiters.escape, open + 1);
    if (close == std::string_view::npos) break;
    const std::string_view sequence = encoded.substr(open + 1, close - open - 1);
    std::string text;
    if (format(text, sequence)) {
      unescape_to(out, encoded.substr(decoded, open - decoded), delimiters);
      out += text;
      at = decoded = close + 1;
    } else if (std::string ignored;
               decode(ignored, sequence, delimiters) || stays(sequence, delimiters)) {
      at = close + 1;
    } else {
      at = close;
    }
  }
  unescape_to(out, encoded.substr(decoded), delimiters);
  // CR and CR LF, which \X0D\ and \X0D0A\ stand for.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == '\r' && i + 1 < out.size() && out[i + 1] == '\n') continue;
    out[kept++] = out[i] == '\r' ? '\n' : out[i];
  }
  out.resize(kept);
  return out;
}

void escape_to(std::string& out, std::string_view text, const Delimiters& delimiters) {
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char letter = letter_of(text[i], delimiters);
    if (letter == 0 && i + 1 == text.size() && text[i] == delimiters.truncation && text[i] != 0)
      letter = 'P';
    if (letter == 0) continue;
    if (letter == 'E') {
      // A sequence is at most 64 characters long, so the search for its end is bounded.
      const std::size_t close =
          text.substr(0, std::min(text.size(), i + 66)).find(delimiters.escape, i + 1);
      if (close != std::string_view::npos && stays(text.substr(i + 1, close - i - 1), delimiters)) {
        i = close;
        continue;
      }
    }
    out += text.substr(copied, i - copied);
    copied = i + 1;
    if (delimiters.escape == 0) {
      out += ' ';
      continue;
    }
    out += delimiters.escape;
    if (letter == 'X') {
      out += text[i] == '\r' ? "X0D" : "X0A";
    } else {
      out += letter;
    }
    out += delimiters.escape;
  }
  out += text.substr(copied);
}

std::string escape(std::string_view text, const Delimiters& delimiters) {
  std::string out;
  out.reserve(text.size() + 16);
  escape_to(out, text, delimiters);
  return out;
}

}  // namespace cannula::hl7v2
