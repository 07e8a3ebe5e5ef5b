// Which Cannula this is; the number is CMake's.
#pragma once

#include <string_view>

namespace cannula::cli {

extern const std::string_view kVersion;  // "0.1.0"

}  // namespace cannula::cli
