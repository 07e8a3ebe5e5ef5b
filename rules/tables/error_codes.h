// The codes of this room (R1xx), see parsers/text/error_codes.h.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::tables {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::tables
