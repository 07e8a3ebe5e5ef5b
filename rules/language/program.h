// A rule file compiled: what the checker makes of it, and what the evaluator, the explanation and
// the tests work from. Immutable once made.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parsers/text/span.h"
#include "rules/facts/facts.h"
#include "rules/language/rule_set.h"
#include "rules/units/unit.h"

namespace cannula::rules {

using TermIndex = std::uint32_t;

// What a term is bound to. `system` empty with Kind::coded: in any system.
struct CodePattern {
  enum class Kind : std::uint8_t { coded, text } kind = Kind::coded;
  std::string system;
  std::string code;  // of Kind::text in small letters
};

// A unit and how it was written.
struct WrittenUnit {
  units::Unit unit;
  std::string text;  // empty: none was written
};

struct Term {
  std::string name;
  std::vector<CodePattern> codes;
  std::optional<WrittenUnit> measure;
  units::Substance substance;
  Span span;  // of the name
};

struct Quantity {
  double number = 0;
  std::string digits;  // as written
  WrittenUnit unit;
};

enum class AgeUnit : std::uint8_t { hours, days, weeks, months, years };

// What a rule may miss.
enum class Lack : std::uint8_t { value, unit, age, sex, status, range, result };
inline constexpr std::size_t kLacks = 7;
std::string_view name_of(Lack lack);
enum class Answer : std::uint8_t { ignore, fire, hold };

struct Condition {
  enum class Op : std::uint8_t {
    any,
    all,
    negation,
    compare,          // of value, result
    between,          // of value, result
    matches,          // of value, result
    reference_range,  // of value, result
    age_compare,
    age_between,
    sex,
    flag,
    status,
    specimen,
    known,
  };
  enum class Subject : std::uint8_t { value, result, age, sex, flag, status, range };
  enum class Position : std::uint8_t { above, below, outside, within };

  Op op = Op::all;
  std::vector<Condition> parts;      // of any, all, negation
  Subject subject = Subject::value;  // value or result; of `known` any
  TermIndex result = 0;              // of Subject::result
  facts::Comparator comparator = facts::Comparator::equal;
  Quantity low;                           // of compare and age_compare, the only one
  Quantity high;                          // of between
  AgeUnit age_unit = AgeUnit::years;      // of low and, of between, of high
  AgeUnit low_age_unit = AgeUnit::years;  // of low
  Position position = Position::above;
  std::vector<std::string> texts;  // in small letters; of matches, flag (as written)
  std::vector<TermIndex> terms;    // of matches, specimen
  std::vector<facts::Observation::Status> statuses;
  std::vector<facts::Patient::Sex> sexes;
};

// A text with places for values.
struct Template {
  enum class What : std::uint8_t {
    literal,
    value,
    number,
    unit,
    name,
    age,
    sex,
    time,
    range,
    flag,
    status,
    result
  };
  struct Part {
    What what = What::literal;
    std::string text;      // of literal
    TermIndex result = 0;  // of result
  };
  std::vector<Part> parts;
};

struct Test {
  std::string name;
  Span span;          // of the name, for findings
  facts::Case facts;  // what is given; the date of birth is made from the age
  enum class Outcome : std::uint8_t {
    critical,
    warning,
    info,
    nothing,
    hold
  } outcome = Outcome::nothing;
};

struct Rule {
  std::string name;
  std::uint32_t version = 0;
  std::chrono::sys_days effective;
  std::optional<std::chrono::sys_days> until;  // the last day
  std::string source;
  std::string owner;
  bool any_result = false;
  std::vector<TermIndex> on;
  std::optional<Condition> when;
  std::optional<Condition> unless;
  Urgency urgency = Urgency::info;
  Template text;
  std::string written_text;
  std::string route;
  std::chrono::minutes acknowledge_within{0};
  std::array<Answer, kLacks> answers{};  // by Lack
  std::array<bool, kLacks> answered{};   // said by the rule, not by default
  std::vector<Test> tests;
  std::size_t line = 0;
  Span span;  // of the name
};

struct Program {
  std::string name;
  std::shared_ptr<const Source> source;
  std::vector<Term> terms;
  std::vector<Rule> rules;  // in order of the file
};

// In small letters (ASCII), as texts are compared.
std::string small_letters(std::string_view text);

}  // namespace cannula::rules
