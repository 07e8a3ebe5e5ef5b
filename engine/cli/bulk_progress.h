// Following what an engine does to many messages, until it is through or the user stops it.
#pragma once

#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/cli/verb.h"

namespace cannula::cli {

// Asks the site for `question` and follows what it began. Ctrl-C cancels it, and says how far it
// came. `detach`: does not wait. `as_text` tells of the end. kFailed when it was cancelled or
// failed.
int follow_bulk_act(const std::string& site, const std::string& question,
                    const nlohmann::json& request, bool detach, const Context& context,
                    const std::function<std::string(const nlohmann::json&)>& as_text);

}  // namespace cannula::cli
