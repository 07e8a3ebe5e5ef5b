// The codes of this room (H…), see parsers/text/error_codes.h.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::hl7v2 {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::hl7v2
