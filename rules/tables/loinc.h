// How a LOINC code is written: up to seven digits, a hyphen, and a check digit that is computed
// from the digits before it, so that a mistyped or transposed digit shows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cannula::tables {

struct LoincMistake {
  std::string what;    // "`2823-4` is no LOINC code: the check digit of 2823 is 3"
  std::string better;  // what was most likely meant, a well-formed code; empty: nobody can tell
};

// Nullopt when the text may be a LOINC code. Of the codes of answers, parts, lists and groups
// (LA6576-8, LP…, LL…, LG…) only the form is looked at. Whether LOINC has such a code is not known
// here. Any bytes; any thread.
std::optional<LoincMistake> loinc_mistake(std::string_view text);

// What spreadsheets make of LOINC codes: 2028-9 is shown, and saved, as Sep-28, 2028-09-01 or
// 01.09.2028. nullopt when `text` is no such date; else the codes that it can come from, none where
// nobody can tell. Month names in English, German, French, Spanish, Italian and Dutch. Any bytes;
// any thread.
std::optional<std::vector<std::string>> loinc_before_spreadsheet(std::string_view text);

// Whether the text looks like a code, as local codes do: letters or digits, a hyphen, a digit.
bool is_shaped_like_loinc(std::string_view text);

// The check digit of digits: Mod 10 (Luhn), LOINC Users' Guide, appendix "Calculating Mod 10 check
// digits". `digits` are '0' to '9' only.
char loinc_check_digit(std::string_view digits);

}  // namespace cannula::tables
