// Numbers in the texts that laboratories send.
#pragma once

#include <optional>
#include <string_view>

#include "rules/facts/facts.h"

namespace cannula::facts {

struct WrittenNumber {
  Comparator comparator = Comparator::equal;
  Decimal number;
};

// "7.10", "-3", ".5", "1.2E3", and with a comparator "<5", ">= 100", "≤5". nullopt for anything
// else, also for "1,234", which is one number here and another there.
std::optional<WrittenNumber> read_number(std::string_view text);

// The same without a comparator.
std::optional<Decimal> read_decimal(std::string_view text);

// "<", "<=", ">", ">=", "=" and their signs; nullopt for anything else.
std::optional<Comparator> read_comparator(std::string_view text);

// The bounds of "3.5-5.1", "3.5 - 5.1", "<5", ">=60"; either may be absent, and then so is the end
// of the range.
struct WrittenRange {
  std::optional<double> low;
  std::optional<double> high;
  bool low_excluded = false;   // ">60"
  bool high_excluded = false;  // "<5"
};
std::optional<WrittenRange> read_range(std::string_view text);

}  // namespace cannula::facts
