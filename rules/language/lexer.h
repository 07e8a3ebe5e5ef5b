// The tokens of a rule file: each function takes the text from `at` and gives the end of the token,
// or nullptr when there is none of its kind.
#pragma once

#include <string>
#include <string_view>

namespace cannula::rules {

using Place = const char*;

// Behind blanks, line ends and comments.
Place skip_blanks(Place at, Place end);

Place match_word(Place at, Place end, std::string_view word);
Place match_sign(Place at, Place end, std::string_view sign);
Place match_name(Place at, Place end);  // no word of the language
Place match_text(Place at, Place end);  // with its quotes
Place match_number(Place at, Place end);
Place match_date(Place at, Place end);
Place match_unit(Place at, Place end);

// What stands between the quotes, `\"` and `\\` resolved.
std::string plain_text(std::string_view quoted);
// The letters, digits, `_` and inner `-` from `at` on; empty when there are none.
std::string_view word_at(Place at, Place end);

}  // namespace cannula::rules
