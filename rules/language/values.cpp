#include "rules/language/values.h"

#include <algorithm>

#include <fmt/format.h>

#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

using facts::Observation;
using Subject = Condition::Subject;
using What = Template::What;

constexpr std::string_view kUnknown = "unknown";

// What a message calls a result: the text of its code, else the code.
std::string name_in_message(const Observation& observation) {
  for (const facts::Code& code : observation.codes) {
    if (!code.text.empty()) return code.text;
  }
  return observation.codes.empty() ? std::string(kUnknown) : observation.codes.front().code;
}

std::string or_unknown(std::string text) {
  if (text.empty()) text = kUnknown;
  return text;
}

std::string result_in_words(const Observed& observed, TermIndex term) {
  for (std::size_t i = 0; i < observed.terms.size(); ++i) {
    const auto& terms = observed.terms[i];
    if (std::binary_search(terms.begin(), terms.end(), term) &&
        is_result(observed.facts.observations[i]))
      return value_in_words(observed.facts.observations[i]);
  }
  return std::string(kUnknown);
}

}  // namespace

Number in_unit_of(const Quantity& quantity, const Observation& observation,
                  const units::Substance& substance) {
  const units::Unit& wanted = quantity.unit.unit;
  if (observation.unit.empty()) {
    if (quantity.unit.text.empty() || wanted == units::Unit{})
      return {observation.value->value, {}};
    return {std::nullopt, "it has no unit"};
  }
  if (observation.unit == quantity.unit.text) return {observation.value->value, {}};
  const auto unit = units::Unit::read(observation.unit);
  if (!unit) {
    const auto readings = units::two_readings(observation.unit);
    return {std::nullopt, readings ? fmt::format("`{}` may be {} or {}", observation.unit,
                                                 readings->one, readings->other)
                                   : fmt::format("`{}` is no known unit", observation.unit)};
  }
  // A rule without a unit means the number as it is reported: 45 % is not 0.45.
  if (quantity.unit.text.empty() && unit->is_number() && *unit != wanted)
    return {std::nullopt,
            fmt::format("the rule names no unit, but the value is in {}", observation.unit)};
  auto value = units::convert(observation.value->value, *unit, wanted, substance);
  if (!value) {
    return {std::nullopt, fmt::format("{} is {} and cannot be compared with {}", observation.unit,
                                      units::kind_of(*unit), units::kind_of(wanted))};
  }
  return {value, {}};
}

units::Substance substance_of(const Condition& condition, const Observed& observed,
                              std::size_t observation) {
  if (condition.subject == Subject::result)
    return observed.program.terms[condition.result].substance;
  const auto& terms = observed.terms[observation];
  if (!terms.empty()) return observed.program.terms[terms.front()].substance;
  units::Substance any;
  any.international_unit_is_enzyme_unit = true;
  return any;
}

std::optional<facts::Moment> time_of(const Observation& observation, const facts::Case& facts) {
  return observation.time ? observation.time : facts.message_time;
}

std::string subject_of(const Condition& condition, const Program& program) {
  static constexpr std::string_view kNames[] = {"value",  "result",         "age", "sex", "flag",
                                                "status", "reference range"};
  if (condition.subject == Subject::result) return "result " + program.terms[condition.result].name;
  return std::string(kNames[static_cast<std::size_t>(condition.subject)]);
}

std::string value_in_words(const Observation& observation) {
  if (observation.value) {
    std::string words;
    if (observation.comparator != facts::Comparator::equal)
      words += sign_of(observation.comparator);
    words += observation.value->text;
    if (!observation.unit.empty()) words += " " + observation.unit;
    return words;
  }
  if (!observation.text.empty()) return observation.text;
  if (!observation.coded_values.empty()) return observation.coded_values.front().code;
  return "missing";
}

std::string age_in_words(const std::optional<AgeRange>& age, AgeUnit unit) {
  if (!age) return std::string(kUnknown);
  std::string_view name = name_of(unit);
  if (age->low != age->high) return fmt::format("between {} and {} {}", age->low, age->high, name);
  if (age->low == 1) name.remove_suffix(1);
  return fmt::format("{} {}", age->low, name);
}

std::string age_in_words(const facts::Case& facts, const Observation& observation) {
  const auto seen = time_of(observation, facts);
  if (!facts.patient.born || !seen) return std::string(kUnknown);
  for (const AgeUnit unit : {AgeUnit::years, AgeUnit::months, AgeUnit::days}) {
    const auto age = age_at(*facts.patient.born, *seen, unit);
    if (!age) return std::string(kUnknown);
    if (age->high >= 2) return age_in_words(age, unit);
  }
  return age_in_words(age_at(*facts.patient.born, *seen, AgeUnit::hours), AgeUnit::hours);
}

// By hand: it stands in the first line of every finding.
std::string time_in_words(const facts::Moment& moment) {
  using Precision = facts::Moment::Precision;
  if (moment.precision > Precision::day) {
    const auto at = std::chrono::sys_time<std::chrono::microseconds>(
        std::chrono::microseconds(moment.microseconds));
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const auto minutes =
        static_cast<unsigned>(std::chrono::floor<std::chrono::minutes>(at - day).count());
    std::string words = in_words(day);
    append_two_digits(words, ' ', minutes / 60);
    append_two_digits(words, ':', minutes % 60);
    return words + " UTC";
  }
  const auto& day = moment.local_day;
  std::string words = year_in_words(day.year());
  if (moment.precision == Precision::year) return words;
  append_two_digits(words, '-', static_cast<unsigned>(day.month()));
  if (moment.precision == Precision::month) return words;
  append_two_digits(words, '-', static_cast<unsigned>(day.day()));
  return words;
}

std::string fill(const Template& text, const Observed& observed, std::size_t observation) {
  const Observation& of = observed.facts.observations[observation];
  std::string filled;
  for (const Template::Part& part : text.parts) {
    switch (part.what) {
      case What::literal:
        filled += part.text;
        break;
      case What::value:
        filled += value_in_words(of);
        break;
      case What::number:
        filled += of.value ? of.value->text : std::string(kUnknown);
        break;
      case What::unit:
        filled += or_unknown(of.unit);
        break;
      case What::name:
        filled += name_in_message(of);
        break;
      case What::age:
        filled += age_in_words(observed.facts, of);
        break;
      case What::sex:
        filled += name_of(observed.facts.patient.sex);
        break;
      case What::time: {
        const auto time = time_of(of, observed.facts);
        filled += time ? time_in_words(*time) : std::string(kUnknown);
        break;
      }
      case What::range:
        filled += or_unknown(of.reference_range);
        break;
      case What::flag:
        filled += of.flags.empty() ? "none" : joined(of.flags, "and");
        break;
      case What::status:
        filled += name_of(of.status);
        break;
      case What::result:
        filled += result_in_words(observed, part.result);
        break;
    }
  }
  return filled;
}

}  // namespace cannula::rules
