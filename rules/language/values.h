// Values of observations: in the units of rules, and in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rules/language/age.h"
#include "rules/language/judgement.h"
#include "rules/language/program.h"

namespace cannula::rules {

// The value of an observation in another unit, or why it cannot be given.
struct Number {
  std::optional<double> value;
  std::string problem;
};
// The observation has a value.
Number in_unit_of(const Quantity& quantity, const facts::Observation& observation,
                  const units::Substance& substance);
// What is known of the substance that a condition compares.
units::Substance substance_of(const Condition& condition, const Observed& observed,
                              std::size_t observation);

// When the observation was made, else when the message was.
std::optional<facts::Moment> time_of(const facts::Observation& observation,
                                     const facts::Case& facts);

// "value", "result sodium", "sex"
std::string subject_of(const Condition& condition, const Program& program);
// "7.1 mmol/L", "<5 ng/L", "Positive", "missing"
std::string value_in_words(const facts::Observation& observation);
// "9 years", "between 15 and 16 years", "unknown"
std::string age_in_words(const std::optional<AgeRange>& age, AgeUnit unit);
// In the unit that people would use.
std::string age_in_words(const facts::Case& facts, const facts::Observation& observation);
// "2026-01-15 08:15 UTC", as far as it is known
std::string time_in_words(const facts::Moment& moment);

std::string fill(const Template& text, const Observed& observed, std::size_t observation);

}  // namespace cannula::rules
