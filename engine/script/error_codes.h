// The codes of this room (L…), see parsers/text/error_codes.h. L1 are findings of `cannula check`
// and of loading, L2 are how a message fails.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::script {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::script
