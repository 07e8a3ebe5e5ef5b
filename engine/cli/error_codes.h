// What can be wrong with how a command is given: U1xx.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::cli {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::cli
