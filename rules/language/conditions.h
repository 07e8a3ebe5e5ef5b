// Conditions as written into conditions as meant.
#pragma once

#include <vector>

#include "rules/language/findings.h"
#include "rules/language/program.h"
#include "rules/language/syntax.h"
#include "rules/language/terms.h"

namespace cannula::rules {

// "5 years" into 5 and years; a finding (R220) where the number is not whole.
std::optional<double> whole_age(const Node& number, Findings& findings);
AgeUnit age_unit_of(std::string_view word);
Quantity quantity_of(const Node& node, Terms& terms, bool& failed);
facts::Observation::Status status_of(std::string_view word);
facts::Patient::Sex sex_of(std::string_view word);

class ConditionReader {
 public:
  // `on`: the terms whose results `value` is of; empty for any.
  ConditionReader(Findings& findings, Terms& terms, const std::vector<TermIndex>& on)
      : findings_(findings), terms_(terms), on_(on) {}

  // nullopt when something in it could not be understood (findings say what).
  std::optional<Condition> read(const Node& node);

 private:
  std::optional<Condition> read_group(const Node& node, Condition::Op op);
  std::optional<Condition> read_comparison(const Node& node);
  std::optional<Condition> read_predicate(const Node& subject, const Node& predicate);
  std::optional<Condition> read_numbers(Condition made, const Node& predicate);
  std::optional<Condition> read_ages(Condition made, const Node& predicate);
  std::optional<Condition> read_choices(Condition made, const Node& subject, const Node& predicate);
  void find_contradictions(const Condition& all, Span span);

  Findings& findings_;
  Terms& terms_;
  const std::vector<TermIndex>& on_;
};

}  // namespace cannula::rules
