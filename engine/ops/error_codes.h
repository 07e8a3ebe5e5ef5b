// The codes that questions to a site raise.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::ops {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::ops
