#include "parsers/hl7v2/encapsulated.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/values.h"
#include "parsers/text/base64.h"

namespace cannula::hl7v2 {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  });
  return out;
}

Error cannot(std::string what) {
  return {"H502", std::move(what),
          "an ED value is source^type^subtype^Base64^data; what stands there can be read as text",
          std::nullopt};
}

Result<std::string> hex_of(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 2);
  int held = -1;
  for (const char letter : text) {
    const char small = static_cast<char>(letter | 0x20);
    int value = 0;
    if (letter >= '0' && letter <= '9') {
      value = letter - '0';
    } else if (small >= 'a' && small <= 'f') {
      value = small - 'a' + 10;
    } else if (letter == ' ' || letter == '\r' || letter == '\n' || letter == '\t') {
      continue;
    } else {
      return cannot("the data of ED is not hexadecimal, as its encoding says");
    }
    if (held < 0) {
      held = value;
    } else {
      out += static_cast<char>(held * 16 + value);
      held = -1;
    }
  }
  if (held >= 0) return cannot("the data of ED has an odd number of hexadecimal digits");
  return out;
}

}  // namespace

Result<std::string> base64_of(std::string_view encoded, const Delimiters& delimiters) {
  const bool plain =
      delimiters.escape == 0 || encoded.find(delimiters.escape) == std::string_view::npos;
  return plain ? decode_base64(encoded) : decode_base64(formatted(encoded, delimiters));
}

Result<Encapsulated> read_encapsulated(const Message& message, const Place& place) {
  const Delimiters& delimiters = message.delimiters();
  std::string_view rest = message.raw(place);
  std::string_view parts[4];
  for (std::string_view& part : parts) {
    const std::size_t end = rest.find(delimiters.component);
    part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  if (rest.empty()) return cannot("there is no data: the fifth component is empty");
  Encapsulated document{std::string(parts[0]), unescape(parts[1], delimiters),
                        unescape(parts[2], delimiters), unescape(parts[3], delimiters), ""};
  const std::string encoding = lower(document.encoding);
  if (encoding == "base64" || encoding == "b64") {
    // What stands behind another component separator is not data.
    const std::string_view data = rest.substr(0, rest.find(delimiters.component));
    document.bytes = TRY(base64_of(data, delimiters));
  } else if (encoding == "hex") {
    document.bytes = TRY(hex_of(formatted(rest, delimiters)));
  } else if (encoding == "a" || encoding == "ascii") {
    document.bytes = unescape(rest, delimiters);
  } else if (encoding.empty()) {
    auto bytes = base64_of(rest, delimiters);
    document.bytes = bytes ? *std::move(bytes) : unescape(rest, delimiters);
  } else {
    return cannot(fmt::format("the encoding of ED is '{}', where table 0299 has A, Hex and Base64",
                              document.encoding.substr(0, 20)));
  }
  return document;
}

}  // namespace cannula::hl7v2
