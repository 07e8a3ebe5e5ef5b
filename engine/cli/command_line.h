// The command line as a whole: finds the verb, parses its options, runs it.
#pragma once

#include <span>

#include "engine/cli/verb.h"

namespace cannula::cli {

// The verb's exit code, or kUsage with an error on context.err. `context.verbs` and `context.json`
// are filled in here.
int run_command_line(int argc, const char* const* argv, std::span<const Verb> verbs,
                     Context context);

}  // namespace cannula::cli
