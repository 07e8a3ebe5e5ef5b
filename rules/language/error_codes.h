// The codes of the rules language: R2xx.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::rules {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::rules
