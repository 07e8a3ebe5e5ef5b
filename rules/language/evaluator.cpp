#include "rules/language/evaluator.h"

#include <fmt/format.h>

#include "rules/language/judgement.h"
#include "rules/language/values.h"
#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

using State = Finding::State;

bool in_effect(const Rule& rule, std::chrono::sys_days day) {
  return rule.effective <= day && (!rule.until || day <= *rule.until);
}

// The message's own words for the observation, its status and time: the first line of why.
std::string observed_line(const Observed& observed, std::size_t number) {
  const facts::Observation& of = observed.facts.observations[number];
  std::string line = of.place;
  line += " ";
  line += value_in_words(of);
  line += ", ";
  line += name_of(of.status);
  if (const auto time = time_of(of, observed.facts)) line += ", " + time_in_words(*time);
  return line;
}

// The strictest answer to what is missing goes first.
Answer answer_to(const Rule& rule, std::uint16_t lacks, std::string& line) {
  Answer answer = Answer::ignore;
  std::vector<std::string> missing;
  for (std::size_t lack = 0; lack < kLacks; ++lack) {
    if ((lacks & (1U << lack)) == 0) continue;
    missing.emplace_back(name_of(static_cast<Lack>(lack)));
    answer = std::max(answer, rule.answers[lack]);
  }
  static constexpr std::string_view kAnswers[] = {"ignore", "fire", "hold for review"};
  line = fmt::format("missing {} -> {}", joined(missing, "and"),
                     kAnswers[static_cast<std::size_t>(answer)]);
  return answer;
}

class RuleRun {
 public:
  // `line` is observed_line() of the observation.
  RuleRun(const Rule& rule, const Observed& observed, std::size_t number, const std::string& line)
      : rule_(rule), observed_(observed), number_(number), line_(line) {}

  Finding run() {
    const facts::Observation& of = observed_.facts.observations[number_];
    finding_.rule = rule_.name;
    finding_.version = rule_.version;
    finding_.source = rule_.source;
    finding_.line = rule_.line;
    finding_.observation = of.ordinal;
    finding_.place = of.place;
    finding_.because.reserve(8);
    finding_.because.push_back(line_);
    if (!is_result(of)) {
      finding_.because.push_back(fmt::format("status {}: not judged", name_of(of.status)));
      return std::move(finding_);
    }
    conclude(conditions());
    return std::move(finding_);
  }

 private:
  // `when` and not `unless`.
  Judgement conditions() {
    Judge judge(observed_, number_, finding_.because);
    Judgement outcome = Judgement::of(true);
    if (rule_.when) outcome = judge.judge(*rule_.when);
    if (!rule_.unless || outcome.truth == Truth::no) return outcome;
    finding_.because.emplace_back("unless:");
    const Judgement unless = judge.judge(*rule_.unless);
    if (unless.truth == Truth::yes) return Judgement::of(false);
    if (unless.truth == Truth::unknown) {
      outcome.truth = Truth::unknown;
      outcome.lacks = static_cast<std::uint16_t>(outcome.lacks | unless.lacks);
    }
    return outcome;
  }

  void conclude(Judgement outcome) {
    if (outcome.truth == Truth::no) return;
    if (outcome.truth == Truth::unknown) {
      std::string line;
      const Answer answer = answer_to(rule_, outcome.lacks, line);
      finding_.because.push_back(std::move(line));
      if (answer != Answer::fire) {
        finding_.state = State::could_not_tell;
        finding_.hold = answer == Answer::hold;
        return;
      }
    }
    finding_.state = State::fired;
    finding_.urgency = rule_.urgency;
    finding_.text = fill(rule_.text, observed_, number_);
    finding_.route = rule_.route;
    finding_.acknowledge_within = rule_.acknowledge_within;
  }

  const Rule& rule_;
  const Observed& observed_;
  std::size_t number_;
  const std::string& line_;
  Finding finding_;
};

Observed observe(const Program& program, const Dispatch& dispatch, const facts::Case& facts) {
  Observed observed{program, facts, {}};
  observed.terms.reserve(facts.observations.size());
  for (const facts::Observation& observation : facts.observations) {
    observed.terms.push_back(dispatch.terms_of(observation));
  }
  return observed;
}

}  // namespace

Verdict evaluate(const Program& program, const Dispatch& dispatch, const facts::Case& facts,
                 std::int64_t now, const RuleSet::Each& each) {
  Verdict verdict;
  verdict.rules = program.name;
  const auto day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(now)));
  const Observed observed = observe(program, dispatch, facts);
  std::string line;
  for (std::size_t number = 0; number < facts.observations.size(); ++number) {
    line.clear();
    for (const std::uint32_t index : dispatch.rules_for(observed.terms[number])) {
      const Rule& rule = program.rules[index];
      if (!in_effect(rule, day)) continue;
      if (line.empty()) line = observed_line(observed, number);
      verdict.findings.push_back(RuleRun(rule, observed, number, line).run());
      if (each) each(verdict.findings.back());
    }
  }
  return verdict;
}

std::vector<Finding> evaluate_rule(const Program& program, const Dispatch& dispatch,
                                   const Rule& rule, const facts::Case& facts) {
  const Observed observed = observe(program, dispatch, facts);
  const auto index = static_cast<std::uint32_t>(&rule - program.rules.data());
  std::vector<Finding> findings;
  for (std::size_t number = 0; number < facts.observations.size(); ++number) {
    const auto rules = dispatch.rules_for(observed.terms[number]);
    if (std::binary_search(rules.begin(), rules.end(), index)) {
      const std::string line = observed_line(observed, number);
      findings.push_back(RuleRun(rule, observed, number, line).run());
    }
  }
  return findings;
}

}  // namespace cannula::rules
