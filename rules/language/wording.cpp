#include "rules/language/wording.h"

#include <fmt/format.h>

namespace cannula::rules {
namespace {

using Op = Condition::Op;
using Subject = Condition::Subject;

std::string_view comparison_in_words(facts::Comparator comparator) {
  using facts::Comparator;
  switch (comparator) {
    case Comparator::less:
      return "below";
    case Comparator::less_or_equal:
      return "at most";
    case Comparator::greater:
      return "above";
    case Comparator::greater_or_equal:
      return "at least";
    case Comparator::equal:
      return "equal to";
  }
  return "";
}

std::string subject_in_words(const Condition& condition, const std::vector<Term>& terms) {
  switch (condition.op) {
    case Op::age_compare:
    case Op::age_between:
      return "the patient's age";
    case Op::sex:
      return "the patient's sex";
    case Op::flag:
      return "the flag";
    case Op::status:
      return "the status";
    case Op::specimen:
      return "the specimen";
    default:
      break;
  }
  switch (condition.subject) {
    case Subject::value:
      return "the value";
    case Subject::result:
      return fmt::format("the result {}", terms[condition.result].name);
    case Subject::age:
      return "the patient's age";
    case Subject::sex:
      return "the patient's sex";
    case Subject::flag:
      return "the flag";
    case Subject::status:
      return "the status";
    case Subject::range:
      return "the reference range";
  }
  return "";
}

std::string choices_in_words(const Condition& condition, const std::vector<Term>& terms) {
  std::vector<std::string> choices;
  for (const std::string& text : condition.texts) choices.push_back(fmt::format("\"{}\"", text));
  for (const TermIndex term : condition.terms) choices.push_back(terms[term].name);
  for (const auto status : condition.statuses) choices.emplace_back(name_of(status));
  for (const auto sex : condition.sexes) choices.emplace_back(name_of(sex));
  return joined(choices, "or");
}

std::string_view position_in_words(Condition::Position position) {
  switch (position) {
    case Condition::Position::above:
      return "above the reference range";
    case Condition::Position::below:
      return "below the reference range";
    case Condition::Position::outside:
      return "outside the reference range";
    case Condition::Position::within:
      return "within the reference range";
  }
  return "";
}

std::string single_in_words(const Condition& condition, const std::vector<Term>& terms,
                            bool negated) {
  const std::string subject = subject_in_words(condition, terms);
  if (condition.op == Op::known)
    return fmt::format("{} is {}", subject, negated ? "missing" : "known");
  const std::string_view is = negated ? "is not" : "is";
  switch (condition.op) {
    case Op::reference_range:
      return fmt::format("{} {} {}", subject, is, position_in_words(condition.position));
    case Op::matches:
    case Op::sex:
    case Op::flag:
    case Op::status:
    case Op::specimen:
      return fmt::format("{} {} {}", subject, is, choices_in_words(condition, terms));
    default:
      return fmt::format("{} {} {}", subject, is, predicate_in_words(condition));
  }
}

}  // namespace

std::string age_in_words(const Quantity& quantity, AgeUnit unit) {
  std::string_view word = name_of(unit);
  if (quantity.number == 1) word.remove_suffix(1);
  return fmt::format("{} {}", quantity.digits, word);
}

std::string_view name_of(facts::Observation::Status status) {
  using Status = facts::Observation::Status;
  switch (status) {
    case Status::unknown:
      return "unknown";
    case Status::preliminary:
      return "preliminary";
    case Status::final:
      return "final";
    case Status::corrected:
      return "corrected";
    case Status::cancelled:
      return "cancelled";
    case Status::wrong:
      return "wrong";
    case Status::partial:
      return "partial";
    case Status::pending:
      return "pending";
  }
  return "unknown";
}

std::string_view name_of(facts::Patient::Sex sex) {
  using Sex = facts::Patient::Sex;
  switch (sex) {
    case Sex::female:
      return "female";
    case Sex::male:
      return "male";
    case Sex::other:
      return "other";
    case Sex::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view name_of(AgeUnit unit) {
  static constexpr std::string_view kNames[] = {"hours", "days", "weeks", "months", "years"};
  return kNames[static_cast<std::size_t>(unit)];
}

std::string_view sign_of(facts::Comparator comparator) {
  static constexpr std::string_view kSigns[] = {"=", "<", "<=", ">", ">="};
  return kSigns[static_cast<std::size_t>(comparator)];
}

std::string in_words(const Quantity& quantity) {
  return quantity.unit.text.empty() ? quantity.digits : quantity.digits + " " + quantity.unit.text;
}

std::string predicate_in_words(const Condition& condition) {
  switch (condition.op) {
    case Op::compare:
      return fmt::format("{} {}", comparison_in_words(condition.comparator),
                         in_words(condition.low));
    case Op::between:
      return fmt::format("between {} and {}", in_words(condition.low), in_words(condition.high));
    case Op::age_compare:
      return fmt::format("{} {}", comparison_in_words(condition.comparator),
                         age_in_words(condition.low, condition.age_unit));
    case Op::age_between:
      return fmt::format("between {} and {}", age_in_words(condition.low, condition.low_age_unit),
                         age_in_words(condition.high, condition.age_unit));
    default:
      return {};
  }
}

std::string in_words(const Condition& condition, const std::vector<Term>& terms, bool inner) {
  if (condition.op == Op::negation) {
    const Condition& part = condition.parts.front();
    if (part.op == Op::any || part.op == Op::all || part.op == Op::negation)
      return fmt::format("it is not so that ({})", in_words(part, terms));
    return single_in_words(part, terms, true);
  }
  if (condition.op != Op::any && condition.op != Op::all)
    return single_in_words(condition, terms, false);
  std::string text;
  for (const Condition& part : condition.parts) {
    if (!text.empty()) text += condition.op == Op::any ? " or " : " and ";
    text += in_words(part, terms, true);
  }
  return inner ? "(" + text + ")" : text;
}

std::string in_words(std::chrono::minutes duration) {
  const auto count = duration.count();
  const auto counted = [](auto number, std::string_view unit) {
    return fmt::format("{} {}{}", number, unit, number == 1 ? "" : "s");
  };
  if (count % (24 * 60) == 0) return counted(count / (24 * 60), "day");
  if (count % 60 == 0) return counted(count / 60, "hour");
  return counted(count, "minute");
}

void append_two_digits(std::string& out, char before, unsigned number) {
  out += {before, static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
}

std::string year_in_words(std::chrono::year year) {
  const int number = static_cast<int>(year);
  if (number < 0 || number > 9999) return fmt::format("{:04}", number);
  const auto digit = [number](int unit) { return static_cast<char>('0' + number / unit % 10); };
  return {digit(1000), digit(100), digit(10), digit(1)};
}

std::string in_words(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  std::string words = year_in_words(date.year());
  append_two_digits(words, '-', static_cast<unsigned>(date.month()));
  append_two_digits(words, '-', static_cast<unsigned>(date.day()));
  return words;
}

std::string joined(const std::vector<std::string>& parts, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? fmt::format(" {} ", last) : std::string(", ");
    text += parts[i];
  }
  return text;
}

std::string small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

}  // namespace cannula::rules
