// The codes of this room: E.
#pragma once

#include "parsers/text/error_codes.h"

namespace cannula::fhir {

std::span<const ErrorCode> error_codes();

}  // namespace cannula::fhir
