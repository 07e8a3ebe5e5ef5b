#include "rules/language/judgement.h"

#include <algorithm>
#include <cmath>

#include "rules/facts/quantity_text.h"
#include "rules/language/age.h"
#include "rules/language/dispatch.h"
#include "rules/language/values.h"
#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

using facts::Comparator;
using facts::Observation;
using Op = Condition::Op;
using Subject = Condition::Subject;

// What a value can be: one number, or with a comparator all on one side of it.
struct Possible {
  double low;
  double high;
  bool low_open = false;
  bool high_open = false;
};

Possible possible(double value, Comparator comparator) {
  Possible all{value, value};
  if (comparator == Comparator::less || comparator == Comparator::less_or_equal) {
    all.low = -HUGE_VAL;
    all.high_open = comparator == Comparator::less;
  } else if (comparator != Comparator::equal) {
    all.high = HUGE_VAL;
    all.low_open = comparator == Comparator::greater;
  }
  return all;
}

// Conversions between units round in the last digits.
bool same(double a, double b) {
  if (a == b || std::isinf(a) || std::isinf(b)) return a == b;
  return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b));
}
bool smaller(double a, double b) {
  return a < b && !same(a, b);
}

Truth negated(Truth truth) {
  return truth == Truth::unknown ? truth : truth == Truth::yes ? Truth::no : Truth::yes;
}

Truth is_below(const Possible& all, double bound) {
  if (smaller(all.high, bound) || (same(all.high, bound) && all.high_open)) return Truth::yes;
  return smaller(all.low, bound) ? Truth::unknown : Truth::no;
}

Truth is_at_most(const Possible& all, double bound) {
  if (smaller(all.high, bound) || same(all.high, bound)) return Truth::yes;
  if (smaller(bound, all.low) || (same(bound, all.low) && all.low_open)) return Truth::no;
  return Truth::unknown;
}

Truth compared(const Possible& all, Comparator comparator, double bound) {
  switch (comparator) {
    case Comparator::less:
      return is_below(all, bound);
    case Comparator::less_or_equal:
      return is_at_most(all, bound);
    case Comparator::greater:
      return negated(is_at_most(all, bound));
    case Comparator::greater_or_equal:
      return negated(is_below(all, bound));
    case Comparator::equal:
      break;
  }
  if (is_below(all, bound) == Truth::yes || is_at_most(all, bound) == Truth::no) return Truth::no;
  return same(all.low, all.high) ? Truth::yes : Truth::unknown;
}

Truth both(Truth a, Truth b) {
  if (a == Truth::no || b == Truth::no) return Truth::no;
  return a == Truth::yes && b == Truth::yes ? Truth::yes : Truth::unknown;
}

Truth either(Truth a, Truth b) {
  return negated(both(negated(a), negated(b)));
}

Judgement judged(Truth truth, Lack lack) {
  return truth == Truth::unknown ? Judgement::lacking(lack) : Judgement::of(truth == Truth::yes);
}

std::string_view verdict_of(Truth truth) {
  return truth == Truth::yes ? ": yes" : truth == Truth::no ? ": no" : ": could not tell";
}

}  // namespace

bool is_result(const Observation& observation) {
  using Status = Observation::Status;
  return observation.status != Status::cancelled && observation.status != Status::wrong &&
         observation.status != Status::pending;
}

Judgement Judge::note(Judgement judgement, std::string step, std::string_view why) {
  step += verdict_of(judgement.truth);
  if (judgement.truth == Truth::unknown && !why.empty()) {
    step += ", ";
    step += why;
  }
  because_.push_back(std::move(step));
  return judgement;
}

Judgement Judge::judge(const Condition& condition) {
  switch (condition.op) {
    case Op::any:
    case Op::all:
      return group(condition);
    case Op::negation: {
      Judgement inner = judge(condition.parts.front());
      inner.truth = negated(inner.truth);
      return inner;
    }
    case Op::age_compare:
    case Op::age_between:
      return age(condition);
    case Op::sex:
      return sex(condition);
    case Op::flag:
      return flag(condition);
    case Op::status:
      return status(condition);
    case Op::specimen:
      return specimen(condition);
    case Op::known:
      return known(condition);
    default:
      return about_values(condition);
  }
}

// Stops at the first part that decides; what is missing counts only where it keeps from deciding.
Judgement Judge::group(const Condition& condition) {
  const Truth decisive = condition.op == Op::all ? Truth::no : Truth::yes;
  Judgement together{negated(decisive), 0};
  for (const Condition& part : condition.parts) {
    const Judgement one = judge(part);
    if (one.truth == decisive) return {decisive, 0};
    if (one.truth != Truth::unknown) continue;
    together.truth = Truth::unknown;
    together.lacks = static_cast<std::uint16_t>(together.lacks | one.lacks);
  }
  return together;
}

// Of `result TERM` there may be several: one for which it holds is enough.
Judgement Judge::about_values(const Condition& condition) {
  if (condition.subject != Subject::result) return about_value(condition, observation());
  Judgement together = Judgement::lacking(Lack::result);
  bool first = true;
  for (std::size_t other = 0; other < observed_.facts.observations.size(); ++other) {
    const auto& terms = observed_.terms[other];
    if (other == number_ || !std::binary_search(terms.begin(), terms.end(), condition.result) ||
        !is_result(observed_.facts.observations[other]))
      continue;
    const Judgement one = about_value(condition, observed_.facts.observations[other]);
    if (one.truth == Truth::yes) return one;
    if (first || one.truth == Truth::unknown) together = one;
    first = false;
  }
  if (!first) return together;
  return note(together, "result " + observed_.program.terms[condition.result].name,
              "the message has none");
}

Judgement Judge::about_value(const Condition& condition, const Observation& of) {
  if (condition.op == Op::compare || condition.op == Op::between) return numbers(condition, of);
  if (condition.op == Op::reference_range) return reference_range(condition, of);
  std::string step = subject_of(condition, observed_.program) + " " + value_in_words(of) + " is ";
  std::vector<std::string> choices;
  for (const std::string& text : condition.texts) choices.push_back("\"" + text + "\"");
  for (const TermIndex term : condition.terms) {
    choices.push_back(observed_.program.terms[term].name);
  }
  return note(matches(condition, of), step + joined(choices, "or"), "it has no value");
}

Judgement Judge::numbers(const Condition& condition, const Observation& of) {
  std::string step = subject_of(condition, observed_.program) + " " + value_in_words(of) + " ";
  if (condition.op == Op::compare) {
    step += sign_of(condition.comparator);
    step += " " + in_words(condition.low);
  } else {
    step += predicate_in_words(condition);
  }
  if (!of.value) return note(Judgement::lacking(Lack::value), std::move(step), "it is no number");
  const units::Substance substance = substance_of(condition, observed_, number_);
  const Number low = in_unit_of(condition.low, of, substance);
  if (!low.value) return note(Judgement::lacking(Lack::unit), std::move(step), low.problem);
  const std::string_view open = "the comparator leaves it open";
  const Possible value = possible(*low.value, of.comparator);
  if (condition.op == Op::compare) {
    return note(judged(compared(value, condition.comparator, condition.low.number), Lack::value),
                std::move(step), open);
  }
  const Number high = in_unit_of(condition.high, of, substance);
  if (!high.value) return note(Judgement::lacking(Lack::unit), std::move(step), high.problem);
  const Truth inside = both(compared(value, Comparator::greater_or_equal, condition.low.number),
                            compared(possible(*high.value, of.comparator),
                                     Comparator::less_or_equal, condition.high.number));
  return note(judged(inside, Lack::value), std::move(step), open);
}

Judgement Judge::reference_range(const Condition& condition, const Observation& of) {
  using Position = Condition::Position;
  std::string step = subject_of(condition, observed_.program) + " " + value_in_words(of) + " ";
  static constexpr std::string_view kWords[] = {"above", "below", "outside", "within"};
  step += kWords[static_cast<std::size_t>(condition.position)];
  step += " reference range";
  if (!of.reference_range.empty()) step += " " + of.reference_range;
  if (!of.value) return note(Judgement::lacking(Lack::value), std::move(step), "it is no number");
  const auto range = facts::read_range(of.reference_range);
  if (!range) {
    return note(Judgement::lacking(Lack::range), std::move(step),
                of.reference_range.empty() ? "the message has none" : "it cannot be read");
  }
  const Possible value = possible(of.value->value, of.comparator);
  const Truth above = !range->high ? Truth::no
                                   : compared(value,
                                              range->high_excluded ? Comparator::greater_or_equal
                                                                   : Comparator::greater,
                                              *range->high);
  const Truth below =
      !range->low
          ? Truth::no
          : compared(value, range->low_excluded ? Comparator::less_or_equal : Comparator::less,
                     *range->low);
  const Truth outside = either(above, below);
  const Truth truth = condition.position == Position::above     ? above
                      : condition.position == Position::below   ? below
                      : condition.position == Position::outside ? outside
                                                                : negated(outside);
  return note(judged(truth, Lack::value), std::move(step), "the comparator leaves it open");
}

Judgement Judge::matches(const Condition& condition, const Observation& of) const {
  if (!of.value && of.text.empty() && of.coded_values.empty())
    return Judgement::lacking(Lack::value);
  std::vector<facts::Code> candidates = of.coded_values;
  candidates.push_back({"", "", of.value ? of.value->text : of.text});
  for (const facts::Code& candidate : candidates) {
    for (const std::string& text : condition.texts) {
      if (small_letters(candidate.text) == text || small_letters(candidate.code) == text)
        return Judgement::of(true);
    }
    for (const TermIndex term : condition.terms) {
      if (is_of(candidate, observed_.program.terms[term])) return Judgement::of(true);
    }
  }
  return Judgement::of(false);
}

Judgement Judge::age(const Condition& condition) {
  const auto born = observed_.facts.patient.born;
  const auto seen = time_of(observation(), observed_.facts);
  const auto at = [&](AgeUnit unit) -> std::optional<AgeRange> {
    return born && seen ? age_at(*born, *seen, unit) : std::nullopt;
  };
  const auto age = at(condition.age_unit);
  std::string step = "age " + age_in_words(age, condition.age_unit) + " ";
  // Of an adult, nobody sees in months or days how old that is.
  const auto years = at(AgeUnit::years);
  if (condition.age_unit != AgeUnit::years && years && years->low >= 2) {
    step += "(" + age_in_words(years, AgeUnit::years) + ") ";
  }
  if (condition.op == Op::age_compare) {
    step += sign_of(condition.comparator);
    step += " " + age_in_words(condition.low, condition.age_unit);
  } else {
    step += predicate_in_words(condition);
  }
  if (!age) {
    return note(Judgement::lacking(Lack::age), std::move(step),
                !born   ? "there is no date of birth"
                : !seen ? "there is no time of the observation"
                        : "the patient was born after the observation");
  }
  const auto possible_ages = [](const AgeRange& range) {
    return Possible{static_cast<double>(range.low), static_cast<double>(range.high)};
  };
  const std::string_view open = "the date of birth is not exact enough";
  if (condition.op == Op::age_compare) {
    return note(judged(compared(possible_ages(*age), condition.comparator, condition.low.number),
                       Lack::age),
                std::move(step), open);
  }
  const Truth inside =
      both(compared(possible_ages(*at(condition.low_age_unit)), Comparator::greater_or_equal,
                    condition.low.number),
           compared(possible_ages(*age), Comparator::less_or_equal, condition.high.number));
  return note(judged(inside, Lack::age), std::move(step), open);
}

Judgement Judge::sex(const Condition& condition) {
  const auto sex = observed_.facts.patient.sex;
  std::vector<std::string> choices;
  for (const auto each : condition.sexes) choices.emplace_back(name_of(each));
  std::string step = "sex " + std::string(name_of(sex)) + " is " + joined(choices, "or");
  if (sex == facts::Patient::Sex::unknown)
    return note(Judgement::lacking(Lack::sex), std::move(step));
  const auto found = std::find(condition.sexes.begin(), condition.sexes.end(), sex);
  return note(Judgement::of(found != condition.sexes.end()), std::move(step));
}

Judgement Judge::flag(const Condition& condition) {
  const auto& flags = observation().flags;
  const bool any = std::any_of(flags.begin(), flags.end(), [&](const std::string& flag) {
    return std::find(condition.texts.begin(), condition.texts.end(), flag) != condition.texts.end();
  });
  return note(Judgement::of(any), "flag " + (flags.empty() ? "none" : joined(flags, "and")) +
                                      " is " + joined(condition.texts, "or"));
}

Judgement Judge::status(const Condition& condition) {
  const auto status = observation().status;
  std::vector<std::string> choices;
  for (const auto each : condition.statuses) choices.emplace_back(name_of(each));
  std::string step = "status " + std::string(name_of(status)) + " is " + joined(choices, "or");
  if (status == Observation::Status::unknown)
    return note(Judgement::lacking(Lack::status), std::move(step));
  const auto found = std::find(condition.statuses.begin(), condition.statuses.end(), status);
  return note(Judgement::of(found != condition.statuses.end()), std::move(step));
}

Judgement Judge::specimen(const Condition& condition) {
  std::vector<std::string> choices;
  bool any = false;
  for (const TermIndex index : condition.terms) {
    const Term& term = observed_.program.terms[index];
    choices.push_back(term.name);
    for (const facts::Code& code : observation().specimen_conditions) {
      any = any || is_of(code, term);
    }
  }
  return note(Judgement::of(any), "specimen is " + joined(choices, "or"));
}

Judgement Judge::known(const Condition& condition) {
  const auto& patient = observed_.facts.patient;
  const auto has_value = [](const Observation& of) {
    return of.value.has_value() || !of.text.empty() || !of.coded_values.empty();
  };
  bool is_known = false;
  switch (condition.subject) {
    case Subject::value:
      is_known = has_value(observation());
      break;
    case Subject::result:
      for (std::size_t other = 0; other < observed_.facts.observations.size(); ++other) {
        const auto& terms = observed_.terms[other];
        const auto& of = observed_.facts.observations[other];
        is_known = is_known || (other != number_ && is_result(of) && has_value(of) &&
                                std::binary_search(terms.begin(), terms.end(), condition.result));
      }
      break;
    case Subject::age: {
      const auto seen = time_of(observation(), observed_.facts);
      is_known = patient.born && seen && age_at(*patient.born, *seen, AgeUnit::years);
      break;
    }
    case Subject::sex:
      is_known = patient.sex != facts::Patient::Sex::unknown;
      break;
    case Subject::flag:
      is_known = !observation().flags.empty();
      break;
    case Subject::status:
      is_known = observation().status != Observation::Status::unknown;
      break;
    case Subject::range:
      is_known = !observation().reference_range.empty();
      break;
  }
  return note(Judgement::of(is_known), subject_of(condition, observed_.program) + " is known");
}

}  // namespace cannula::rules
