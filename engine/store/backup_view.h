// A backup as the folder of the store that it was made of: the journal in it is read by what reads
// every journal. Changes nothing.
#pragma once

#include "engine/store/backup_manifest.h"

namespace cannula::store {

// For as long as `files` and `manifest` live. Paths are those in `folder` that the files had in the
// store's folder.
class BackupView final : public FileSystem {
 public:
  BackupView(FileSystem& files, std::filesystem::path folder, const BackupManifest& manifest)
      : files_(files), folder_(std::move(folder)), manifest_(manifest) {}

  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Access access) override;
  Result<std::unique_ptr<File>> open_plain(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> remove(const std::filesystem::path& path) override;
  Result<void> destroy(const std::filesystem::path& path) override;
  Result<void> make_directories(const std::filesystem::path& path) override;
  Result<void> make_directory(const std::filesystem::path& path) override;
  bool is_directory(const std::filesystem::path& path) override;
  Result<void> sync_directory(const std::filesystem::path& directory) override;
  Result<std::uint64_t> free_space(const std::filesystem::path& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> lock_directory(const std::filesystem::path& directory) override;

 private:
  FileSystem& files_;
  const std::filesystem::path folder_;
  const BackupManifest& manifest_;
};

}  // namespace cannula::store
