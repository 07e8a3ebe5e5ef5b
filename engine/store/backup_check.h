// Reading backups: whether one is there, whole, and what it holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/backup_manifest.h"
#include "parsers/text/diagnostic.h"

namespace cannula::store {

// Whether there is a manifest, readable or not.
bool is_backup(const std::filesystem::path& folder, FileSystem* file_system = nullptr);

// Whether a backup was begun there: files lie in it as only a backup stores them.
bool is_begun_backup(const std::filesystem::path& folder, FileSystem* file_system = nullptr);

// For who works with a backup, so that no other takes files away meanwhile. Nothing is written: the
// folder itself is locked, so a copy of it made with hard links is locked on its own. Null where
// the file system knows no locks. J117 when somebody works with it.
Result<std::unique_ptr<FileLock>> hold_backup(FileSystem& files,
                                              const std::filesystem::path& folder);
// J209 when there is none.
Result<BackupManifest> manifest_of_backup(FileSystem& files, const std::filesystem::path& folder);

struct BackupCheck {
  BackupManifest manifest;
  std::size_t segments = 0;
  std::uint64_t records = 0;
  // Files that are not what was written, and what in the journal is no record.
  std::vector<Diagnostic> damage;
};

// Reads every byte of a backup and every record of its journal; needs no key. J209 when there is no
// backup, or its manifest cannot be read.
Result<BackupCheck> check_backup(
    const std::filesystem::path& folder, FileSystem* file_system = nullptr,
    const std::function<void(std::uint64_t done, std::uint64_t all)>& on_progress = nullptr);

// What was read of the journal in a backup.
struct BackupJournal {
  std::size_t segments = 0;   // that it has
  std::uint64_t records = 0;  // of the segments that were read
};

// Reads each record of the segments whose paths are `wanted`, and looks whether all is there that
// the journal says must be. What is not goes to `damage`.
Result<BackupJournal> read_journal_of_backup(
    FileSystem& files, const std::filesystem::path& folder, const BackupManifest& manifest,
    const std::function<bool(const std::string& path)>& wanted, std::vector<Diagnostic>& damage);

}  // namespace cannula::store
