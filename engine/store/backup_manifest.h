// What a backup consists of: the file `manifest` in its folder, which is written last. A folder
// without one is no backup; what the manifest does not name does not belong to it.
// Format: docs/reference/store-format.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/file_system.h"
#include "engine/store/store.h"

namespace cannula::store {

// A file is never changed once it is written: another content gets another stored name, so that the
// backup before stays whole until the next one is.
struct BackupFile {
  std::string path;          // in the store's folder: "journal/00000000000000000001.seg", "keys"
  std::uint64_t number = 0;  // of the backup that copied it
  std::uint64_t size = 0;    // bytes
  std::string checksum;      // XXH3-128, 32 hexadecimal digits as `xxh128sum` prints them
  std::string mark;          // by which an unchanged file is known without reading all of it

  std::string stored_name() const;  // in the backup's folder: "keys.3"
  friend bool operator==(const BackupFile&, const BackupFile&) = default;
};

// Whether a backup may have a file of this path: a list of what is ever taken. Whatever else lies
// in a backup's folder is somebody else's, and a manifest that names it is not one of ours.
bool may_be_in_backup(std::string_view path);
// The path that a stored name is made of; nothing for other names.
std::optional<std::string> path_of_stored_name(const std::string& name);

// J208: the file is not what was written.
Error not_as_written(const std::filesystem::path& folder, const BackupFile& file,
                     std::string_view why);

struct BackupManifest {
  std::uint64_t number = 0;    // 1, 2 … of the backups into this folder
  std::string site;            // as its operator calls it
  std::string made;            // ISO time, UTC: when the copying began
  std::uint64_t identity = 0;  // of the store
  Position begin = 0;          // of the journal
  Position end = 0;            // exclusive
  std::uint64_t keys = 0;      // id of the ring that it is sealed with; 0: it is plain
  std::vector<BackupFile> files;

  const BackupFile* find(const std::string& path) const;
  std::uint64_t bytes() const;  // of all files

  // Nothing when there is no manifest. J209 when it cannot be read as one.
  static Result<std::optional<BackupManifest>> load(FileSystem& disk,
                                                    const std::filesystem::path& folder);
  // On disk when this returns; after an error it may be either the one before or this.
  Result<void> save(FileSystem& disk, const std::filesystem::path& folder) const;
};

// "2026-12-01T07:00:00Z", now.
std::string backup_time();

}  // namespace cannula::store
