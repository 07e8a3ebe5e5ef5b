// Where the parts of a store lie in its directory.
#pragma once

#include <filesystem>

namespace cannula::store {

inline std::filesystem::path lock_path(const std::filesystem::path& directory) {
  return directory / "lock";
}
inline std::filesystem::path journal_directory(const std::filesystem::path& directory) {
  return directory / "journal";
}
inline std::filesystem::path index_path(const std::filesystem::path& directory) {
  return directory / "index.db";
}

}  // namespace cannula::store
