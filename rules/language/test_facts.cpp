#include "rules/language/test_facts.h"

#include <charconv>

#include <fmt/format.h>

#include "rules/facts/quantity_text.h"
#include "rules/language/conditions.h"

namespace cannula::rules {
namespace {

using facts::Observation;

constexpr std::int64_t kHour = 3'600'000'000;

// A date of birth that makes the patient exactly that old at the time of the test.
facts::Moment born(double age, AgeUnit unit) {
  using namespace std::chrono;
  facts::Moment moment;
  const sys_days today = floor<days>(sys_time<microseconds>(microseconds(kTimeOfTests)));
  const year_month_day date(today);
  const auto count = static_cast<int>(std::min(age, 1e6));
  sys_days day = today;
  if (unit == AgeUnit::years) day = date - years(std::min(count, 1000));
  if (unit == AgeUnit::months) day = date - months(std::min(count, 12'000));
  if (unit == AgeUnit::weeks) day = today - days(7 * std::min(count, 52'000));
  if (unit == AgeUnit::days) day = today - days(std::min(count, 365'000));
  moment.local_day = day;
  moment.microseconds = microseconds(day.time_since_epoch()).count();
  if (unit == AgeUnit::hours) {
    moment.microseconds = kTimeOfTests - count * kHour;
    moment.local_day = floor<days>(sys_time<microseconds>(microseconds(moment.microseconds)));
    moment.precision = facts::Moment::Precision::second;
  }
  return moment;
}

facts::Moment time_of_test() {
  facts::Moment moment;
  moment.microseconds = kTimeOfTests;
  moment.precision = facts::Moment::Precision::second;
  moment.local_day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(kTimeOfTests)));
  return moment;
}

class TestReader {
 public:
  TestReader(const Node& clause, Findings& findings, Terms& terms)
      : clause_(clause), findings_(findings), terms_(terms) {}

  std::optional<Test> read() {
    test_.name = clause_.children.front().text;
    test_.span = clause_.children.front().span;
    test_.facts.message_time = time_of_test();
    for (const Node& child : clause_.children) fact(child);
    outcome(clause_.children.back().text);
    if (test_.facts.observations.empty() && !failed_) {
      findings_.error("R222", test_.span, "this test gives no result to judge",
                      "add one, as in: given age 40 years, potassium 7.1 mmol/L");
      return std::nullopt;
    }
    if (failed_) return std::nullopt;
    return std::move(test_);
  }

 private:
  void fact(const Node& node) {
    if (node.kind == Kind::fact_age) {
      const auto age = whole_age(node.children[0], findings_);
      if (age) test_.facts.patient.born = born(*age, age_unit_of(node.children[1].text));
      failed_ = failed_ || !age;
    } else if (node.kind == Kind::fact_sex) {
      test_.facts.patient.sex = sex_of(node.children.front().text);
    } else if (node.kind == Kind::fact_result) {
      result(node);
    } else if (node.kind == Kind::fact_attribute) {
      if (!test_.facts.observations.empty()) return attribute(node);
      findings_.error("R222", node.span, fmt::format("`{}` stands before any result", node.text),
                      "it belongs behind the result that it is of");
      failed_ = true;
    }
  }

  void result(const Node& node) {
    const auto term = terms_.resolve(node.children.front());
    Observation made;
    made.ordinal = test_.facts.observations.size() + 1;
    made.status = Observation::Status::final;
    made.time = time_of_test();
    made.place = node.children.front().text;
    if (term) made.codes.push_back(code_of(*term));
    failed_ = failed_ || !term;
    value(node.children[1], made);
    test_.facts.observations.push_back(std::move(made));
    for (const Node& child : node.children) {
      if (child.kind == Kind::fact_attribute) attribute(child);
    }
  }

  void value(const Node& node, Observation& into) {
    if (node.kind == Kind::text) {
      into.text = node.text;
    } else if (node.kind == Kind::name) {
      const auto term = terms_.resolve(node);
      failed_ = failed_ || !term;
      if (!term) return;
      into.coded_values.push_back(code_of(*term));
      into.text = node.text;
    } else if (node.kind == Kind::fact_number) {
      const Quantity quantity = quantity_of(node.children.back(), terms_, failed_);
      into.value = facts::Decimal{quantity.digits, quantity.number};
      into.unit = quantity.unit.text;
      if (!node.text.empty()) {
        into.comparator = facts::read_comparator(node.text).value_or(facts::Comparator::equal);
      }
    }
  }

  void attribute(const Node& node) {
    Observation& of = test_.facts.observations.back();
    const Node& value = node.children.front();
    if (node.text == "status") of.status = status_of(value.text);
    if (node.text == "flag") of.flags.push_back(value.text);
    if (node.text == "range") of.reference_range = value.text;
    if (node.text == "specimen") {
      const auto term = terms_.resolve(value);
      if (term) of.specimen_conditions.push_back(code_of(*term));
      failed_ = failed_ || !term;
    }
  }

  // A code that the term recognizes.
  facts::Code code_of(TermIndex term) const {
    const CodePattern& pattern = terms_.at(term).codes.front();
    if (pattern.kind == CodePattern::Kind::text) return {"", "", pattern.code};
    return {pattern.system, pattern.code, terms_.at(term).name};
  }

  void outcome(std::string_view word) {
    static constexpr std::pair<std::string_view, Test::Outcome> kOutcomes[] = {
        {"critical", Test::Outcome::critical},
        {"warning", Test::Outcome::warning},
        {"info", Test::Outcome::info},
        {"nothing", Test::Outcome::nothing},
        {"hold", Test::Outcome::hold}};
    for (const auto& [name, meant] : kOutcomes) {
      if (name == word) test_.outcome = meant;
    }
  }

  const Node& clause_;
  Findings& findings_;
  Terms& terms_;
  Test test_;
  bool failed_ = false;
};

}  // namespace

std::optional<Test> read_test(const Node& clause, Findings& findings, Terms& terms) {
  return TestReader(clause, findings, terms).read();
}

}  // namespace cannula::rules
