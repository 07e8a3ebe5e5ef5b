#include "engine/cli/sizes.h"

#include <fmt/format.h>

namespace cannula::cli {

std::string size_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  const double value = static_cast<double>(bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} KB", value / 1e3);
  if (bytes < 10'000'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.1f} GB", value / 1e9);
}

}  // namespace cannula::cli
