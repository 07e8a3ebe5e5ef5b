#include "rules/language/rule_tests.h"

#include <algorithm>

#include <fmt/format.h>

#include "rules/language/evaluator.h"
#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

using State = Finding::State;
using Outcome = Test::Outcome;

constexpr std::string_view kOutcomes[] = {"critical", "warning", "info", "nothing", "hold"};

std::string_view name_of(Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

// What the rule made of the test: firing goes before holding.
struct Came {
  Outcome outcome = Outcome::nothing;
  const Finding* finding = nullptr;
};

Came what_came(const std::vector<Finding>& findings) {
  Came came;
  for (const Finding& finding : findings) {
    if (finding.state == State::fired) {
      static constexpr Outcome kByUrgency[] = {Outcome::info, Outcome::warning, Outcome::critical};
      return {kByUrgency[static_cast<std::size_t>(finding.urgency)], &finding};
    }
    if (finding.state == State::could_not_tell && finding.hold && came.outcome == Outcome::nothing)
      came = {Outcome::hold, &finding};
  }
  if (came.finding == nullptr && !findings.empty()) came.finding = &findings.front();
  return came;
}

Diagnostic describe_failure(const Program& program, const Rule& rule, const Test& test,
                            const Came& came) {
  Diagnostic finding;
  finding.code = "R230";
  finding.source = program.source;
  finding.span = test.span;
  finding.message = fmt::format("test \"{}\" of {} expects {}, but {} came", test.name, rule.name,
                                name_of(test.outcome), name_of(came.outcome));
  finding.hint = came.finding != nullptr
                     ? "because " + joined(came.finding->because, "and")
                     : fmt::format(
                           "the rule looks at none of the results given; it is on result "
                           "{}",
                           [&] {
                             std::vector<std::string> names;
                             for (const TermIndex term : rule.on)
                               names.push_back(program.terms[term].name);
                             return joined(names, "or");
                           }());
  return finding;
}

}  // namespace

std::vector<TestResult> run_tests(const Program& program, const Dispatch& dispatch) {
  std::vector<TestResult> results;
  for (const Rule& rule : program.rules) {
    for (const Test& test : rule.tests) {
      const std::vector<Finding> findings = evaluate_rule(program, dispatch, rule, test.facts);
      const Came came = what_came(findings);
      TestResult result{rule.name, test.name, came.outcome == test.outcome, std::nullopt};
      if (!result.passed) result.finding = describe_failure(program, rule, test, came);
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace cannula::rules
