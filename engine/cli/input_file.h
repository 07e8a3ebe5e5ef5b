// The files that a verb is given.
#pragma once

#include <string>

#include "parsers/text/result.h"

namespace cannula::cli {

// All bytes of a file, or of the standard input for "-". The error (U106) names the file.
Result<std::string> read_input(const std::string& name);

}  // namespace cannula::cli
