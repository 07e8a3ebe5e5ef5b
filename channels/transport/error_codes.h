// The codes T…: what can go wrong with connections and their settings.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::transport {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::transport
