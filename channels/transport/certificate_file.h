// When the certificates of a PEM file end.
#pragma once

#include <cstdint>
#include <filesystem>

#include "parsers/text/result.h"

namespace cannula {

// Seconds since 1970 at which the first of them does: what is shown to the other side is a chain,
// and no stronger than that one. Reads the file. T107 when it cannot be read or holds none.
Result<std::int64_t> end_of_certificates(const std::filesystem::path& file);

}  // namespace cannula
