// Who is not let in, what is refused, which secret cannot be read: P1xx.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::security {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::security
