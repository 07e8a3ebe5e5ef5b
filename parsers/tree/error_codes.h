// The codes of this room: N.
#pragma once

#include "parsers/text/error_codes.h"

namespace cannula::tree {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::tree
