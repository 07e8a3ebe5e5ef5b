// The codes M…: what can go wrong with MLLP.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::mllp {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::mllp
