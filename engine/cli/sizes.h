// Numbers of bytes as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace cannula::cli {

// "512 B", "12.3 KB", "4.5 MB", "6.7 GB".
std::string size_text(std::uint64_t bytes);

}  // namespace cannula::cli
