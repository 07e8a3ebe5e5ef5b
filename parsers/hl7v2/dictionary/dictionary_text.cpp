#include "parsers/hl7v2/dictionary/dictionary_text.h"

// The assembler takes the file in as it is: a string literal of that length would take the compiler
// a second.
__asm__(
    ".pushsection .rodata\n"
    ".global cannula_hl7v2_dictionary_begin\n"
    ".global cannula_hl7v2_dictionary_end\n"
    "cannula_hl7v2_dictionary_begin:\n"
    ".incbin \"" CANNULA_DICTIONARY_TEXT
    "\"\n"
    "cannula_hl7v2_dictionary_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" const char cannula_hl7v2_dictionary_begin[];
extern "C" const char cannula_hl7v2_dictionary_end[];

namespace cannula::hl7v2 {

std::string_view dictionary_text() {
  return {cannula_hl7v2_dictionary_begin,
          static_cast<std::size_t>(cannula_hl7v2_dictionary_end - cannula_hl7v2_dictionary_begin)};
}

}  // namespace cannula::hl7v2
