// The rules of one file, compiled: read once, evaluated on the facts of each message.
//
//   auto compiled = RuleSet::compile(source);
//   if (compiled.set) Verdict verdict = compiled.set->evaluate(facts, now);
//
// The language: docs/reference/rules-language.md. Rules are unordered, without loops and side
// effects, and dispatched by code: a thousand rules cost a message no more than those that can
// fire.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "rules/facts/facts.h"

namespace cannula::rules {

enum class Urgency : std::uint8_t { info, warning, critical };
std::string_view name_of(Urgency urgency);

// What one rule said of one observation (or of the message as a whole).
struct Finding {
  enum class State : std::uint8_t { fired, not_fired, could_not_tell } state = State::not_fired;
  std::string rule;
  std::uint32_t version = 0;
  std::string source;           // what the rule cites
  std::size_t line = 0;         // of the rule in its file
  std::size_t observation = 0;  // Observation::ordinal; 0: the message as a whole
  std::string place;            // "OBX[3]"
  // Of fired:
  Urgency urgency = Urgency::info;
  std::string text;                            // with the values filled in
  std::string route;                           // empty: none named
  std::chrono::minutes acknowledge_within{0};  // 0: not asked for
  // Of could_not_tell: the rule's `missing … -> hold for review` applies.
  bool hold = false;
  // Why, step by step, with values, units and times: "value 7.1 mmol/L > 6.2 mmol/L: yes".
  std::vector<std::string> because;
};

struct Verdict {
  std::string rules;  // the rule set's name
  // Of every rule that looked at one of the message's observations, in order of observation and
  // file. Rules whose codes the message does not have are not listed.
  std::vector<Finding> findings;

  bool critical() const;
  bool doubtful() const;                   // some finding holds for review
  std::optional<Urgency> urgency() const;  // the highest that fired
  std::string trace_json() const;          // {"set", "findings": […]}, one line, for traces
};

struct TestResult {
  std::string rule;
  std::string name;
  bool passed = false;
  std::optional<Diagnostic> finding;  // where it failed, what was expected and what came, and why
};

class RuleSet {
 public:
  struct Compiled {
    std::shared_ptr<const RuleSet> set;  // null when a finding is an error
    std::vector<Diagnostic> findings;    // all of them, in order of line (R2xx)
  };
  // Takes any bytes; never throws. `name` is the file's without ".rules".
  static Compiled compile(std::string name, std::shared_ptr<const Source> source);

  virtual ~RuleSet() = default;
  virtual const std::string& name() const = 0;
  virtual std::size_t size() const = 0;  // rules
  // `now`, microseconds since 1970-01-01 UTC, decides which rules are in effect. Any thread. `each`
  // is told of every finding as it is made, and may throw: a message decides how many there are.
  using Each = std::function<void(const Finding&)>;
  virtual Verdict evaluate(const facts::Case& facts, std::int64_t now, const Each& each) const = 0;
  Verdict evaluate(const facts::Case& facts, std::int64_t now) const {
    return evaluate(facts, now, {});
  }
  // The tests that stand beside the rules.
  virtual std::vector<TestResult> run_tests() const = 0;
  // What a rule does, in sentences, for `cannula rules explain`; nullopt when there is no such
  // rule.
  virtual std::optional<std::string> explain(std::string_view rule) const = 0;
  virtual std::vector<std::string> rule_names() const = 0;
  // The file it was compiled from.
  virtual const Source& source() const = 0;
  // Rules that say something else than in `before` under the same name and version: what is on
  // record of both cannot be told apart (R231, warnings). Tests may change.
  virtual std::vector<Diagnostic> changed_under_their_version(const RuleSet& before) const = 0;
  // Name and version of each rule, and what it says, in sentences without its tests.
  virtual std::vector<std::pair<std::string, std::string>> sayings() const = 0;
};

}  // namespace cannula::rules
