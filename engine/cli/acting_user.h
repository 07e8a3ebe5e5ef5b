// Who is at the command line, for what is kept with an act.
#pragma once

#include <string>

namespace cannula::cli {

std::string acting_user();

}  // namespace cannula::cli
