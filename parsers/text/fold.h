// Texts as people tell them apart: two that differ only in case, or in how an accent is written,
// fold to the same.
//
//   fold("MÜLLER") == fold("müller")      also with u and a combining diaeresis for ü
//   fold("GROSS") == fold("Groß")
//
// It is NFKC_Casefold of Unicode (3.13, D147; ICU carries it out), and besides the dotless ı and
// the dotted İ of Turkish are an i, because a name in capitals has lost the difference. What the
// standard has assigned keeps its folding in every later version, so a fold may be kept for years.
// Accents themselves count: "Muller" is another name than "Müller".
#pragma once

#include <string>
#include <string_view>

namespace cannula {

// `text` is UTF-8; bytes that are not stay as they are. Of ASCII it takes as long as copying does.
// Any thread.
std::string fold(std::string_view text);

}  // namespace cannula
