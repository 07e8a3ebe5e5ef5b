// Any bytes as a message in whatever character set MSH-18 names: texts are UTF-8, and an edit in
// one field changes no byte of another. The first byte chooses a name for MSH-18 where the message
// leaves room for one.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "parsers/hl7v2/encoding.h"

namespace cannula::hl7v2 {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr const char* kNames[] = {
    "",          "8859/1",         "8859/7",    "UNICODE UTF-8",
    "ISO IR87",  "~ISO IR87",      "KS X 1001", "GB 18030-2000",
    "Shift_JIS", "windows-1255",   "BIG-5",     "CNS 11643-1992",
    "ASCII",     "UNICODE UTF-16", "8859/15",   "8859/1~ISO IR87~8859/7"};

// Sets whose bytes come back one for one.
bool exact(const Encoding& encoding) {
  return encoding.set.is_utf8() || encoding.set == CharacterSet::windows_1252() ||
         encoding.set.name().starts_with("ISO-8859-");
}

void try_edit(const Bytes& bytes, const Decoded& decoded) {
  const auto path = Path::parse("MSH-10");
  Message plain = *Message::parse(bytes);
  Message edited = decoded.message;
  const bool written = plain.set(*path, "A1").has_value();
  require(edited.set(*path, "A1").has_value() == written);
  const auto out = encode(edited, decoded.encoding);
  if (exact(decoded.encoding)) require(out && *out == plain.encode());
  edited.set(*path, "\xC3\xA9\xE5\xB1\xB1");
  if (const auto again = encode(edited, decoded.encoding)) {
    const auto back = decode(make_bytes(*again));
    require(back.has_value());
  }
}

void try_bytes(std::string text) {
  const Bytes bytes = make_bytes(std::move(text));
  for (const Origin origin : {Origin::received, Origin::written}) {
    const auto decoded = decode(bytes, origin);
    require(!decoded || is_utf16(*bytes) || Message::parse(bytes).has_value());
    if (!decoded) continue;
    require(is_utf8(decoded->message.encode()));
    std::size_t last = 0;
    for (const auto& each : decoded->encoding.kept) {
      require(each.offset >= last);
      last = each.offset + each.size;
    }
    require(last <= decoded->message.received()->size());
    if (decoded->encoding.switches != 0) {
      // What is only read leaves as it came.
      require(!exact(decoded->encoding) || *encode(decoded->message, decoded->encoding) == *bytes);
    }
    if (origin == Origin::received && !is_utf16(*bytes)) try_edit(bytes, *decoded);
  }
}

}  // namespace
}  // namespace cannula::hl7v2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cannula::hl7v2;
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try_bytes(rest);
  try_bytes("MSH|^~\\&|A||||||ADT^A01|1|P|2.5||||||" + std::string(kNames[data[0] % 16]) + "\r" +
            rest);
  return 0;
}
