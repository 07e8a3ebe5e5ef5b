#include "rules/language/conditions.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

using facts::Comparator;
using Op = Condition::Op;
using Subject = Condition::Subject;

double number_of(const Node& node) {
  double value = 0;
  std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
  return value;
}

Comparator comparator_of(std::string_view sign) {
  if (sign == "<") return Comparator::less;
  if (sign == "<=") return Comparator::less_or_equal;
  if (sign == ">") return Comparator::greater;
  if (sign == ">=") return Comparator::greater_or_equal;
  return Comparator::equal;
}

Condition::Position position_of(std::string_view word) {
  if (word == "above") return Condition::Position::above;
  if (word == "below") return Condition::Position::below;
  if (word == "outside") return Condition::Position::outside;
  return Condition::Position::within;
}

// What a group of conditions joined by `and` leaves of a number line.
struct Interval {
  double low = -HUGE_VAL;
  double high = HUGE_VAL;
  bool low_open = false;
  bool high_open = false;

  void at_least(double bound, bool open) {
    if (bound > low || (bound == low && open)) low_open = open;
    low = std::max(low, bound);
  }
  void at_most(double bound, bool open) {
    if (bound < high || (bound == high && open)) high_open = open;
    high = std::min(high, bound);
  }
  bool empty() const { return low > high || (low == high && (low_open || high_open)); }

  void narrow(Comparator comparator, double bound) {
    if (comparator == Comparator::less || comparator == Comparator::less_or_equal) {
      at_most(bound, comparator == Comparator::less);
    } else if (comparator == Comparator::equal) {
      at_least(bound, false);
      at_most(bound, false);
    } else {
      at_least(bound, comparator == Comparator::greater);
    }
  }
};

// The comparisons of a group that hold of one and the same number.
struct Line {
  Interval interval;
  std::string words;
  std::optional<WrittenUnit> unit;

  void add(const std::string& written) {
    if (!words.empty()) words += " and ";
    words += written;
  }
};

void gather(const Condition& condition, std::vector<const Condition*>& into) {
  if (condition.op == Op::all) {
    for (const Condition& part : condition.parts) gather(part, into);
  } else {
    into.push_back(&condition);
  }
}

}  // namespace

AgeUnit age_unit_of(std::string_view word) {
  if (word.starts_with("hour")) return AgeUnit::hours;
  if (word.starts_with("day")) return AgeUnit::days;
  if (word.starts_with("week")) return AgeUnit::weeks;
  if (word.starts_with("month")) return AgeUnit::months;
  return AgeUnit::years;
}

facts::Observation::Status status_of(std::string_view word) {
  using Status = facts::Observation::Status;
  if (word == "final") return Status::final;
  if (word == "preliminary") return Status::preliminary;
  if (word == "corrected") return Status::corrected;
  return Status::partial;
}

facts::Patient::Sex sex_of(std::string_view word) {
  using Sex = facts::Patient::Sex;
  return word == "female" ? Sex::female : word == "male" ? Sex::male : Sex::other;
}

std::optional<double> whole_age(const Node& number, Findings& findings) {
  const double age = number_of(number);
  if (age >= 0 && age == std::floor(age)) return age;
  findings.error("R220", number.span, "ages are whole numbers, counted as people count them",
                 "write a smaller unit: 6 months for 0.5 years");
  return std::nullopt;
}

Quantity quantity_of(const Node& node, Terms& terms, bool& failed) {
  Quantity quantity;
  quantity.number = number_of(node.children.front());
  quantity.digits = node.children.front().text;
  if (const Node* unit = node.find(Kind::unit)) {
    auto read = terms.unit_of(*unit);
    failed = failed || !read;
    if (read) quantity.unit = std::move(*read);
  }
  return quantity;
}

std::optional<Condition> ConditionReader::read(const Node& node) {
  switch (node.kind) {
    case Kind::any_of:
      return read_group(node, Op::any);
    case Kind::all_of:
      return read_group(node, Op::all);
    case Kind::negation: {
      auto inner = read(node.children.front());
      if (!inner || node.text.empty()) return inner;
      Condition made;
      made.op = Op::negation;
      made.parts.push_back(std::move(*inner));
      return made;
    }
    default:
      return read_comparison(node);
  }
}

std::optional<Condition> ConditionReader::read_group(const Node& node, Op op) {
  Condition made;
  made.op = op;
  bool failed = false;
  for (const Node& child : node.children) {
    auto part = read(child);
    failed = failed || !part;
    if (part) made.parts.push_back(std::move(*part));
  }
  if (failed) return std::nullopt;
  if (made.parts.size() == 1) return std::move(made.parts.front());
  if (op == Op::all) find_contradictions(made, node.span);
  return made;
}

std::optional<Condition> ConditionReader::read_comparison(const Node& node) {
  auto made = read_predicate(node.children.front(), node.children.back());
  if (!made || node.text.empty()) return made;
  Condition negation;
  negation.op = Op::negation;
  negation.parts.push_back(std::move(*made));
  return negation;
}

std::optional<Condition> ConditionReader::read_predicate(const Node& subject,
                                                         const Node& predicate) {
  Condition made;
  static constexpr std::pair<Kind, Subject> kSubjects[] = {
      {Kind::value, Subject::value}, {Kind::result, Subject::result},
      {Kind::age, Subject::age},     {Kind::sex, Subject::sex},
      {Kind::flag, Subject::flag},   {Kind::status, Subject::status},
      {Kind::range, Subject::range},
  };
  for (const auto& [kind, meant] : kSubjects) {
    if (kind == subject.kind) made.subject = meant;
  }
  if (subject.kind == Kind::result) {
    const auto term = terms_.resolve(subject.children.front());
    if (!term) return std::nullopt;
    made.result = *term;
  }
  if (predicate.kind == Kind::presence) {
    made.op = Op::known;
    if (predicate.text == "known") return made;
    Condition negation;
    negation.op = Op::negation;
    negation.parts.push_back(std::move(made));
    return negation;
  }
  if (predicate.kind == Kind::within) {
    made.op = Op::reference_range;
    made.position = position_of(predicate.text);
    return made;
  }
  if (predicate.kind == Kind::matches) return read_choices(std::move(made), subject, predicate);
  if (subject.kind == Kind::age) return read_ages(std::move(made), predicate);
  return read_numbers(std::move(made), predicate);
}

std::optional<Condition> ConditionReader::read_numbers(Condition made, const Node& predicate) {
  const std::vector<TermIndex> terms =
      made.subject == Subject::result ? std::vector{made.result} : on_;
  bool failed = false;
  made.low = quantity_of(predicate.children.front(), terms_, failed);
  if (predicate.kind == Kind::compare) {
    made.op = Op::compare;
    made.comparator = comparator_of(predicate.text);
    if (failed || !terms_.keeps_to_measure(terms, made.low, predicate.children.front().span))
      return std::nullopt;
    return made;
  }
  made.op = Op::between;
  made.high = quantity_of(predicate.children.back(), terms_, failed);
  if (made.low.unit.text.empty()) made.low.unit = made.high.unit;
  if (failed || !terms_.keeps_to_measure(terms, made.low, predicate.children.front().span) ||
      !terms_.keeps_to_measure(terms, made.high, predicate.children.back().span))
    return std::nullopt;
  find_contradictions(made, predicate.span);
  return made;
}

std::optional<Condition> ConditionReader::read_ages(Condition made, const Node& predicate) {
  const Node& first = predicate.children.front();
  const Node& last = predicate.children.back();
  const auto low = whole_age(first.children.front(), findings_);
  const auto high = &first == &last ? low : whole_age(last.children.front(), findings_);
  if (!low || !high) return std::nullopt;
  made.low.number = *low;
  made.low.digits = first.children.front().text;
  made.high.number = *high;
  made.high.digits = last.children.front().text;
  made.age_unit = age_unit_of(last.children.back().text);
  made.low_age_unit =
      first.children.size() > 1 ? age_unit_of(first.children.back().text) : made.age_unit;
  made.op = predicate.kind == Kind::compare ? Op::age_compare : Op::age_between;
  made.comparator = comparator_of(predicate.text);
  if (made.op == Op::age_between) find_contradictions(made, predicate.span);
  return made;
}

std::optional<Condition> ConditionReader::read_choices(Condition made, const Node& subject,
                                                       const Node& predicate) {
  static constexpr std::pair<Kind, Op> kOps[] = {
      {Kind::value, Op::matches}, {Kind::result, Op::matches}, {Kind::sex, Op::sex},
      {Kind::flag, Op::flag},     {Kind::status, Op::status},  {Kind::specimen, Op::specimen}};
  for (const auto& [kind, op] : kOps) {
    if (kind == subject.kind) made.op = op;
  }
  for (const Node& choice : predicate.children) {
    if (choice.kind == Kind::name) {
      const auto term = terms_.resolve(choice);
      if (!term) return std::nullopt;
      made.terms.push_back(*term);
    } else if (made.op == Op::sex) {
      made.sexes.push_back(sex_of(choice.text));
    } else if (made.op == Op::status) {
      made.statuses.push_back(status_of(choice.text));
    } else {
      made.texts.push_back(made.op == Op::flag ? choice.text : small_letters(choice.text));
    }
  }
  return made;
}

// `value < 2 mmol/L and value > 6 mmol/L` holds of no value.
void ConditionReader::find_contradictions(const Condition& all, Span span) {
  std::vector<const Condition*> conditions;
  gather(all, conditions);
  Line values;
  Line ages;
  std::optional<AgeUnit> age_unit;
  for (const Condition* condition : conditions) {
    const bool range = condition->op == Op::between || condition->op == Op::age_between;
    if ((condition->op == Op::compare || condition->op == Op::between) &&
        condition->subject == Subject::value) {
      if (!values.unit) values.unit = condition->low.unit;
      const units::Substance substance =
          on_.empty() ? units::Substance{} : terms_.at(on_.front()).substance;
      const auto in_unit = [&](const Quantity& quantity) {
        return units::convert(quantity.number, quantity.unit.unit, values.unit->unit, substance);
      };
      const auto low = in_unit(condition->low);
      const auto high = range ? in_unit(condition->high) : low;
      if (!low || !high) continue;
      values.interval.narrow(range ? Comparator::greater_or_equal : condition->comparator, *low);
      if (range) values.interval.narrow(Comparator::less_or_equal, *high);
      values.add(predicate_in_words(*condition));
    } else if (condition->op == Op::age_compare || condition->op == Op::age_between) {
      if (!age_unit) age_unit = condition->age_unit;
      if (*age_unit != condition->age_unit || *age_unit != condition->low_age_unit) continue;
      ages.interval.narrow(range ? Comparator::greater_or_equal : condition->comparator,
                           condition->low.number);
      if (range) ages.interval.narrow(Comparator::less_or_equal, condition->high.number);
      ages.add(predicate_in_words(*condition));
    }
  }
  // Completed years: above 3 and below 4 holds of none.
  if (ages.interval.low_open) ages.interval.low += 1;
  if (ages.interval.high_open) ages.interval.high -= 1;
  ages.interval.low_open = ages.interval.high_open = false;
  const std::pair<const Line*, const char*> lines[] = {{&values, "value"}, {&ages, "age"}};
  for (const auto& [line, what] : lines) {
    if (!line->interval.empty()) continue;
    findings_.error("R210", span, fmt::format("this never holds: no {} is {}", what, line->words),
                    conditions.size() > 1 ? "join them with `or`, if either is meant"
                                          : "write the smaller number first");
  }
}

}  // namespace cannula::rules
