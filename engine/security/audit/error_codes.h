#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::audit {

std::span<const ErrorCode> error_codes();  // A1xx

}  // namespace cannula::audit
