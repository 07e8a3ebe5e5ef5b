// Judges the facts of one message by the rules of one file.
#pragma once

#include <cstdint>

#include "rules/language/dispatch.h"
#include "rules/language/program.h"
#include "rules/language/rule_set.h"

namespace cannula::rules {

// Of every rule in effect at `now` that looks at one of the observations. Any thread. `each` as of
// RuleSet::evaluate().
Verdict evaluate(const Program& program, const Dispatch& dispatch, const facts::Case& facts,
                 std::int64_t now, const RuleSet::Each& each);

// One rule by itself, whatever the day: for its tests.
std::vector<Finding> evaluate_rule(const Program& program, const Dispatch& dispatch,
                                   const Rule& rule, const facts::Case& facts);

}  // namespace cannula::rules
