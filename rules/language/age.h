// Ages as people count them: completed units, by the calendar.
#pragma once

#include <cstdint>
#include <optional>

#include "rules/facts/facts.h"
#include "rules/language/program.h"

namespace cannula::rules {

// The ages that are possible: one, or several where only the year or the month is known.
struct AgeRange {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

// nullopt when the patient was not born yet.
std::optional<AgeRange> age_at(const facts::Moment& born, const facts::Moment& seen, AgeUnit unit);

}  // namespace cannula::rules
