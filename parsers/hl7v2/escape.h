// Escape sequences (HL7 v2 2.6): `\F\` `\S\` `\T\` `\R\` `\E\` `\P\` stand for delimiters,
// `\X0D0A\` for bytes.
//
// Decoding is for the text of a leaf only, after the message was divided: a decoded delimiter never
// divides anything.
#pragma once

#include <string>
#include <string_view>

#include "parsers/hl7v2/delimiters.h"

namespace cannula::hl7v2 {

// Delimiter escapes and \Xdd..\ (pairs of hexadecimal digits) become what they stand for.
// Everything else stays as it is, because it says how text is to be shown or means something by
// local agreement only: formatting (\.br\ \H\ \N\), switches of character sets that MSH-18 does not
// announce (\Cxxyy\ \Mxxyyzz\; those it does are gone by then, see code_switching.h), local \Z..\,
// sequences nobody knows, and an escape character alone.
std::string unescape(std::string_view encoded, const Delimiters& delimiters);
void unescape_to(std::string& out, std::string_view encoded, const Delimiters& delimiters);

// The text of an FT or TX field for people to read: as unescape(), and formatting is carried out as
// far as plain text can (2.6.7). \.br\ \.ce\ and \.nf\ begin a new line, \.spN\ N lines (one
// without a number), \.inN\ and \.tiN\ and \.skN\ leave N blanks; \H\ \N\ and \.fi\ leave no trace.
// Line ends are LF. Sequences of characters sets and of local meaning stay as they are.
std::string formatted(std::string_view encoded, const Delimiters& delimiters);

// Makes plain text into the text of a leaf: the escape character first (2.5.1), then the other
// delimiters, and CR and LF as \X0D\ and \X0A\, because they end a segment. The sequences of the
// standard that unescape() leaves as they are
// (\.br\ \H\ \N\ \C..\ \M..\ \Z..\) are left so here too: formatted text can be read, copied and
// written back without turning into backslashes. unescape(escape(text)) == text for every text.
// With no escape character in MSH-2 nothing can be escaped: then a delimiter or line end becomes a
// space.
std::string escape(std::string_view text, const Delimiters& delimiters);
void escape_to(std::string& out, std::string_view text, const Delimiters& delimiters);

}  // namespace cannula::hl7v2
