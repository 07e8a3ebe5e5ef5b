#include "engine/ops/last_backup.h"

#include <charconv>

#include "engine/security/keys/whole_file.h"

namespace cannula::ops {
namespace {

constexpr const char* kFile = "last-backup";

}  // namespace

Result<void> note_backup(const std::filesystem::path& store, store::Timestamp began) {
  return security::replace_whole(store / kFile, std::to_string(began) + "\n");
}

std::optional<store::Timestamp> last_backup(const std::filesystem::path& store) {
  const auto text = security::read_whole(store / kFile);
  if (!text || !*text) return std::nullopt;
  const std::string& digits = **text;
  store::Timestamp began = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), began);
  if (wrong != std::errc() || std::string_view(end) != "\n") return std::nullopt;
  return began;
}

}  // namespace cannula::ops
