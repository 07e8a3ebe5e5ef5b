// The character set of a message: its texts as UTF-8, and the way back.
//
//   Decoded decoded = TRY(decode(bytes));
//   TRY(decoded.message.set(path, "Łukasz"));                    // UTF-8 in and out
//   std::string out = TRY(encode(decoded.message, decoded.encoding));   // in the message's own set
//
// Which set it is (2.14.9.18): the first repetition of MSH-18 names the default set. Then what the
// bytes show goes before what the label says, where that cannot be by chance:
//   * Bytes below 0x80 only (and no escape sequences of ISO 2022 where MSH-18 names those): there
//     is nothing to convert, and nothing is copied.
//   * MSH-18 is empty or names no set we know: UTF-8 when the bytes are valid UTF-8 (a note, D206),
//     else windows-1252, which holds ISO 8859-1.
//   * MSH-18 names ASCII or a set of one byte a character, but the bytes are valid UTF-8 with
//     characters of several bytes: UTF-8, with a warning (D203).
//   * "~ISO IR87", as Japanese systems send it: ASCII with escape sequences.
//   * A further repetition of MSH-18, or "2.3" in MSH-20 (table 0356), and \Cxxyy\ or \Mxxyyzz\ in
//     the message: what stands behind these is read as code_switching.h says, and what is written
//     leaves with such sequences where the default set does not have it.
//   * UTF-16, by its byte order mark or an MSH in it: read as what it is (D208), and written back
//     in it. MSH-18 cannot say so, because the label would have to be read first.
// The channel's own say, `charset` under [source], goes before all of this but UTF-16 (D207).
// Bytes that are nothing in the set read as U+FFFD, with a warning (D202), and are written back as
// they came.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parsers/hl7v2/code_switching.h"
#include "parsers/hl7v2/message.h"
#include "parsers/text/character_set.h"
#include "parsers/text/utf16.h"

namespace cannula::hl7v2 {

// What encode() needs to know of how a message was decoded.
struct Encoding {
  CharacterSet set = CharacterSet::utf8();
  std::string label;          // MSH-18 as received, decoded
  std::vector<Kept> kept{};   // what could not be decoded or was switched, by place
  Utf16 utf16 = Utf16::none;  // then `set` is UTF-8
  Switches switches = 0;      // where the message has them: those it names or uses
};

struct Decoded {
  Message message;  // all its texts are UTF-8; shares the received bytes where these are
  Encoding encoding;
  std::vector<Diagnostic> findings;  // D201 to D208: warnings and notes
};

// Whether there is nothing to decode whatever MSH-18 says: ASCII without escape sequences that
// switch. Takes a few dozen nanoseconds a kilobyte.
bool is_plain(const Message& parsed);

enum class Origin {
  received,  // from outside
  written,   // a text of a script's, which is UTF-8 whatever its MSH-18 says it is to become
};

// Fails as Message::parse does. `told` is what the channel knows of its sender.
Result<Decoded> decode(Bytes bytes, Origin origin = Origin::received,
                       std::optional<CharacterSet> told = std::nullopt);
// Of a message that was parsed as received and not edited. No copy when it is ASCII or UTF-8.
Result<Decoded> decode(const Message& parsed, Origin origin = Origin::received,
                       std::optional<CharacterSet> told = std::nullopt);
// Whether the bytes are a message in UTF-16, which Message::parse refuses and decode() reads.
bool is_utf16(std::string_view bytes);

// The message as it is to be sent: where nothing was edited byte for byte as received, what was
// edited in the set of the message. When MSH-18 itself was edited, all of it in the new set. Fails
// (D204, D201) when that set does not have a character.
Result<std::string> encode(const Message& message, const Encoding& encoding);

// Whether a text could be written into the message as it stands: fails as encode() would.
Result<void> check_encodable(const Message& message, const Encoding& encoding,
                             std::string_view text);

}  // namespace cannula::hl7v2
