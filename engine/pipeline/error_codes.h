// The codes that the pipeline raises.
#pragma once

#include <span>

#include "parsers/text/error_codes.h"

namespace cannula::pipeline {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::pipeline
