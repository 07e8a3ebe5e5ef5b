#include "engine/pipeline/noted_time.h"

#include <charconv>

#include "engine/security/keys/whole_file.h"

namespace cannula::pipeline {

Result<void> note_time(const std::filesystem::path& file, store::Timestamp time) {
  return security::replace_whole(file, std::to_string(time) + "\n");
}

std::optional<store::Timestamp> noted_time(const std::filesystem::path& file) {
  const auto text = security::read_whole(file);
  if (!text || !*text) return std::nullopt;
  const std::string& digits = **text;
  store::Timestamp time = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), time);
  if (wrong != std::errc() || std::string_view(end) != "\n") return std::nullopt;
  return time;
}

}  // namespace cannula::pipeline
