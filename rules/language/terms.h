// The terms of a file: made from their declarations, found by name, and the measure that all their
// numbers must keep to.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rules/language/findings.h"
#include "rules/language/program.h"
#include "rules/language/syntax.h"

namespace cannula::rules {

class Terms {
 public:
  Terms(Findings& findings, const Syntax& syntax);

  // The term that a name node means; nullopt, with a finding (R203), when there is none.
  std::optional<TermIndex> resolve(const Node& name);
  // The unit of a `unit` node; nullopt with a finding (R207) when it is none.
  std::optional<WrittenUnit> unit_of(const Node& node);
  // A number of these terms must be of their measure: says so (R208, R209) when it is not. The
  // first number of a term without a measure decides.
  bool keeps_to_measure(const std::vector<TermIndex>& terms, const Quantity& quantity, Span span);

  void warn_of_unused();
  std::vector<Term> take() { return std::move(terms_); }
  const Term& at(TermIndex index) const { return terms_[index]; }

 private:
  void declare(const Node& node);
  void add_code(const Node& node, Term& term);
  void check_loinc(const Node& code);
  void add_properties(const Node& node, Term& term);
  void warn_of_charge(const Term& term, const WrittenUnit& unit, Span span);
  bool unreadable(const std::string& name) const;

  Findings& findings_;
  const Syntax& syntax_;
  std::vector<Term> terms_;
  std::map<std::string, TermIndex, std::less<>> by_name_;
  std::vector<bool> used_;
  std::vector<bool> charge_declared_;
  std::vector<bool> charge_warned_;
  std::vector<bool> measure_declared_;
  std::set<std::string, std::less<>> reported_;  // unknown names, each reported once
  std::map<TermIndex, std::size_t> measured_on_line_;
};

}  // namespace cannula::rules
