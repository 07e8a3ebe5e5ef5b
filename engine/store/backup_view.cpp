#include "engine/store/backup_view.h"

#include <fmt/format.h>

namespace cannula::store {
namespace {

Error not_changed(const std::filesystem::path& path) {
  return Error{"J104", fmt::format("{} is of a backup, which is only read", path.string()), ""};
}

}  // namespace

Result<std::unique_ptr<File>> BackupView::open(const std::filesystem::path& path, Access access) {
  if (access != Access::read) return not_changed(path);
  return open_plain(path);
}

Result<std::unique_ptr<File>> BackupView::open_plain(const std::filesystem::path& path) {
  const BackupFile* file = manifest_.find(path.lexically_relative(folder_).generic_string());
  if (!file) return Error{"J104", fmt::format("the backup has no {}", path.string()), ""};
  return files_.open_plain(folder_ / file->stored_name());
}

Result<std::vector<std::string>> BackupView::list(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const BackupFile& file : manifest_.files) {
    const auto path = folder_ / file.path;
    if (path.parent_path() == directory) names.push_back(path.filename().string());
  }
  return names;
}

Result<void> BackupView::rename(const std::filesystem::path& from, const std::filesystem::path&) {
  return not_changed(from);
}

Result<void> BackupView::remove(const std::filesystem::path& path) {
  return not_changed(path);
}

Result<void> BackupView::destroy(const std::filesystem::path& path) {
  return not_changed(path);
}

Result<void> BackupView::make_directories(const std::filesystem::path& path) {
  return not_changed(path);
}

Result<void> BackupView::make_directory(const std::filesystem::path& path) {
  return not_changed(path);
}

bool BackupView::is_directory(const std::filesystem::path& path) {
  return files_.is_directory(path);
}

Result<void> BackupView::sync_directory(const std::filesystem::path& directory) {
  return not_changed(directory);
}

Result<std::uint64_t> BackupView::free_space(const std::filesystem::path& directory) {
  return files_.free_space(directory);
}

Result<std::unique_ptr<FileLock>> BackupView::lock(const std::filesystem::path& path) {
  return not_changed(path);
}

Result<std::unique_ptr<FileLock>> BackupView::lock_directory(
    const std::filesystem::path& directory) {
  return not_changed(directory);
}

}  // namespace cannula::store
