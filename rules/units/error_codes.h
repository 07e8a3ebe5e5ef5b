// The codes of units: R301 …
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::units {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::units
