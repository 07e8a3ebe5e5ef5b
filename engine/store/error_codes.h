#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::store {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::store
