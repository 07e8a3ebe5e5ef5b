// Verbs that ask a site something: of its running engine, or of its store when none runs.
#pragma once

#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/cli/verb.h"

namespace cannula::cli {

// Asks, prints the answer as JSON or as `as_text` makes it, and gives the verb's exit code.
int answer_question(const std::string& site, const std::string& question,
                    const nlohmann::json& request, const Context& context,
                    const std::function<std::string(const nlohmann::json&)>& as_text);

}  // namespace cannula::cli
