// The codes T3…: what can go wrong with HTTP.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::http {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::http
