// What a rule does, in sentences.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rules/language/program.h"

namespace cannula::rules {

// Of all rules of that name; nullopt when there is none.
std::optional<std::string> explain(const Program& program, std::string_view rule);
// Of one rule, without its tests.
std::string saying(const Program& program, const Rule& rule);

}  // namespace cannula::rules
