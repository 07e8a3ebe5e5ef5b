// V: channel tests and trials.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::trial {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::trial
