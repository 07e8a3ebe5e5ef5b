#include "parsers/text/error_codes.h"

#include <array>

namespace cannula::text {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"D101", "There is no time zone of that name",
              "Time zones are written by their IANA names, which are a region and a city: "
              "Europe/Vienna, America/New_York. UTC and fixed offsets such as +01:00 are taken as "
              "well; abbreviations such as PST are not, because they mean several zones. The "
              "message names the nearest one that exists."},
    ErrorCode{"D102", "The system's time zones cannot be read",
              "The rules of all zones stand below /usr/share/zoneinfo, in the package tzdata. "
              "Small container images leave it out. Install it, and restart Cannula."},
    ErrorCode{"D201", "There is no character set of that name",
              "MSH-18 takes the names of HL7 table 0211: ASCII, 8859/1 to 8859/16, UNICODE UTF-8, "
              "ISO IR87, GB 18030-2000, KS X 1001, BIG-5. IANA's names are understood as well. A "
              "received message that names another is read as if MSH-18 were empty: as UTF-8 when "
              "it is valid UTF-8, else as windows-1252. UTF-16 is told by its bytes, never by its "
              "name; other sets without ASCII, such as EBCDIC, cannot be read."},
    ErrorCode{"D202", "Bytes that are nothing in the message's character set",
              "They are read as U+FFFD, the replacement character. In fields that are not edited "
              "they leave as they came. Most often MSH-18 names another set than the sender uses, "
              "or a text was cut in the middle of a character: tell the sender."},
    ErrorCode{"D203", "MSH-18 names another character set than the message is in",
              "The message is valid UTF-8 with characters of several bytes, which does not happen "
              "by chance in a set of one byte a character: it is read and written as UTF-8. Or it "
              "says ASCII and has other characters. Tell the sender to correct MSH-18."},
    ErrorCode{"D204", "A character that the message's character set does not have",
              "What a script writes into a message leaves in the character set of the message, so "
              "that the receiver can read it. The error names the character. Set MSH-18 to UNICODE "
              "UTF-8 before writing, when the receiver takes that: the whole message is then "
              "converted. Or write the text without the character."},
    ErrorCode{"D205", "A text that is not Base64",
              "Base64 has letters, digits, + and / (or - and _), and = at the end; blanks and line "
              "ends between them are passed over. The error names the first character that is "
              "something else. Perhaps the value has another encoding, such as hexadecimal, or was "
              "cut when it was sent."},
    ErrorCode{"D206", "A message without a character set that is UTF-8",
              "MSH-18 is empty, which stands for ASCII, and the message is valid UTF-8 with "
              "characters of several bytes: it is read and written as UTF-8. Nothing is lost. "
              "Other receivers may show wrong letters: the sender should write UNICODE UTF-8 into "
              "MSH-18, or the channel may say charset = \"UTF-8\"."},
    ErrorCode{"D207", "The channel reads another character set than MSH-18 names",
              "The channel says charset = … under [source], for a sender whose MSH-18 is known to "
              "be wrong. It goes before MSH-18. When the sender has been corrected, take the key "
              "out."},
    ErrorCode{"D208", "A message in UTF-16",
              "It was told by its byte order mark or by MSH in two bytes a letter. It is read, "
              "edited and sent on in UTF-16. Few receivers can read it: send a copy as text, "
              "send(\"ehr\", tostring(msg)), which is UTF-8, or have the sender write UTF-8."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::text
