// What can be wrong with a site folder: C1xx.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::config {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::config
