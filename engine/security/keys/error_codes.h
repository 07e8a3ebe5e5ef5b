// The codes of master and data keys.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::security {

std::span<const ErrorCode> key_error_codes();

}  // namespace cannula::security
