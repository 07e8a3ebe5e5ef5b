// The tests that stand beside the rules.
#pragma once

#include <vector>

#include "rules/language/dispatch.h"
#include "rules/language/program.h"

namespace cannula::rules {

std::vector<TestResult> run_tests(const Program& program, const Dispatch& dispatch);

}  // namespace cannula::rules
