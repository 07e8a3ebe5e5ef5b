// The command line as a whole: finds the verb, parses its options, runs it.
#pragma once

#include <span>

#include "engine/cli/verb.h"

namespace cannula::cli {

// The verb's exit code, or kUsage with an error on context.err. `context.verbs` and `context.json`
// are filled in here.
int run_command_line(int argc, const char* const* argv, std::span<const Verb> verbs,
                     Context context);

// To be called before any verb: what a crash would leave on the disk has messages in it, and keys
// and PINs. Children inherit it.
void leave_no_core_dump();

}  // namespace cannula::cli
