// Any bytes as a field of a message, read as every data type: reading and writing back changes no
// byte, what is written is read again, escapes come back, and nothing that is decoded divides.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "parsers/hl7v2/continuation.h"
#include "parsers/hl7v2/date_time.h"
#include "parsers/hl7v2/encapsulated.h"
#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/values.h"
#include "parsers/text/base64.h"

namespace cannula::hl7v2 {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Value>
void try_type(const Message& received, const Place& place) {
  Message message = received;
  const auto value = read<Value>(message, place);
  require(write(message, place, value).has_value());
  require(!message.edited());
  const std::string again = encode(value, message.delimiters());
  const Place other{place.segment, 9};
  if (!message.set_raw(other, again)) return;
  require(encode(read<Value>(message, other), message.delimiters()) == again);
}

void try_escapes(std::string_view text, const Delimiters& delimiters) {
  if (delimiters.escape != 0) {
    const std::string escaped = escape(text, delimiters);
    require(unescape(escaped, delimiters) == text);
    for (const char c : {delimiters.field, delimiters.component, '\r', '\n'}) {
      require(escaped.find(c) == std::string::npos);
    }
  }
  formatted(text, delimiters);
}

void try_texts(std::string_view text) {
  if (const auto time = DateTime::parse(text)) {
    require(DateTime::parse(time->text())->text() == time->text());
    time->microseconds(TimeZone::utc());
  }
  if (const auto number = read_number(text))
    require(read_number(number->text)->text == number->text);
  read_structured_number(text);
  if (const auto bytes = decode_base64(text)) {
    require(*decode_base64(encode_base64(*bytes)) == *bytes);
  }
}

void try_bytes(const std::string& text) {
  for (const std::string_view header :
       {"MSH|^~\\&|A\r", "MSH|^~&|A\r", "MSH|^~\\&#|A\r", "MSH|!@\\|A\r"}) {
    const auto message = Message::parse(make_bytes(std::string(header) + "OBX|1|ED|||" + text));
    if (!message) continue;
    try_escapes(text, message->delimiters());
    for (const std::uint32_t component : {0u, 2u}) {
      const Place place{1, 5, 0, component};
      try_type<Cx>(*message, place);
      try_type<Xpn>(*message, place);
      try_type<Xad>(*message, place);
      try_type<Cwe>(*message, place);
      try_type<Sn>(*message, place);
    }
    read_encapsulated(*message, Place{1, 5});
    const Message fragments[] = {*message};
    join(fragments);
  }
}

}  // namespace
}  // namespace cannula::hl7v2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  cannula::hl7v2::try_texts(text);
  cannula::hl7v2::try_bytes(text);
  return 0;
}
