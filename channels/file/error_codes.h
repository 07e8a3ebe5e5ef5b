// The codes F…: what can go wrong with files.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::file {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::file
