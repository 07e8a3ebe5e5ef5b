// The facts of a test, made from what it gives.
#pragma once

#include <optional>

#include "rules/language/findings.h"
#include "rules/language/program.h"
#include "rules/language/syntax.h"
#include "rules/language/terms.h"

namespace cannula::rules {

// The moment that all tests take place at: 2026-01-15 12:00 UTC.
inline constexpr std::int64_t kTimeOfTests = 1'768'478'400'000'000;

std::optional<Test> read_test(const Node& clause, Findings& findings, Terms& terms);

}  // namespace cannula::rules
