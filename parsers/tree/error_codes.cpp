#include "parsers/tree/error_codes.h"

#include <array>

namespace cannula::tree {
namespace {

constexpr std::array kCodes = {
    ErrorCode{
        "N001", "A path into a document cannot be read",
        "Names are joined by dots, elements of arrays named by [n] counted from 1, or [*] for "
        "all: entry[1].resource.id. A name with a dot or a bracket in it stands in quotes: "
        "extension[\"http://example.org/a\"]."},
    ErrorCode{"N101", "The text is not JSON",
              "Something else stands at the place shown than JSON has there: a comma too many or "
              "too few, single quotes, a comment, or another format altogether. What stands before "
              "the place is right."},
    ErrorCode{"N102", "The text is not UTF-8",
              "JSON between systems is UTF-8 (RFC 8259, 8.1). Most often the sender writes ISO "
              "8859-1 or Windows-1252; it must convert."},
    ErrorCode{"N103", "A control character in a string",
              "Line ends, tabs and other characters below U+0020 stand escaped in JSON strings. "
              "Where none was meant, the quote that closes the string is missing."},
    ErrorCode{"N104", "A string that is not closed",
              "The quote that ends the string is missing, or the document was cut off on its way."},
    ErrorCode{"N105", "A wrong escape",
              "JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits. "
              "Characters beyond U+FFFF are two of those, the halves of a surrogate pair; half a "
              "pair is no character."},
    ErrorCode{"N106", "A wrong number",
              "Numbers have no leading zero and no plus sign, and digits on both sides of a point: "
              "0.5, not .5. NaN and Infinity are not JSON."},
    ErrorCode{"N107", "A document that is nested too deep",
              "Arrays and objects in each other, more levels than any clinical document has. It is "
              "an error of the sender's program or an attack."},
    ErrorCode{"N108", "A document that is too large",
              "It has more bytes than the limit. Documents of that size belong beside a message, "
              "with a reference."},
    ErrorCode{"N109", "No document", "The text is empty where JSON was expected."},
    ErrorCode{"N110", "A document of too many values",
              "Each value of a document takes 32 bytes of memory besides its text, and the memory "
              "is limited: for a document that a script reads, by the script's own limit (memory "
              "under [script] in channel.toml). Reading stops there. Have the sender divide the "
              "document, or allow the script more memory."},
    ErrorCode{"N201", "A name that stands twice",
              "An object has two members of one name. Programs differ in which they read, so the "
              "sender must say which it means. Here the first is read, and both are kept."},
    ErrorCode{"N301", "A path that leads through a value",
              "A text or number stands where the path needs an object or an array, so nothing can "
              "be written below it."},
    ErrorCode{"N302", "An element beyond the next one",
              "Writing to [n] of an array adds it when it is the next one. Fill arrays in order."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::tree
