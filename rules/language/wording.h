// Conditions and their parts in the words of people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/language/program.h"

namespace cannula::rules {

// "16 years", "1 month", of an age that a rule names.
std::string age_in_words(const Quantity& quantity, AgeUnit unit);

std::string_view name_of(facts::Observation::Status status);
std::string_view name_of(facts::Patient::Sex sex);
std::string_view name_of(AgeUnit unit);
std::string_view sign_of(facts::Comparator comparator);

// "6.2 mmol/L"
std::string in_words(const Quantity& quantity);
// "above 6.2 mmol/L", "between 16 and 18 years"
std::string predicate_in_words(const Condition& condition);
// "the value is above 6.2 mmol/L"; `inner` in parentheses where it would be misread
std::string in_words(const Condition& condition, const std::vector<Term>& terms,
                     bool inner = false);
// "1 day", "30 minutes"
std::string in_words(std::chrono::minutes duration);
// "2026-01-15"
std::string in_words(std::chrono::sys_days day);
// "2026"
std::string year_in_words(std::chrono::year year);
// `before` and a number below 100: "-01"
void append_two_digits(std::string& out, char before, unsigned number);
// "a, b or c"
std::string joined(const std::vector<std::string>& parts, std::string_view last);

}  // namespace cannula::rules
