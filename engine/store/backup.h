// Backups of a store, made while another process has it open and goes on writing: nothing is
// locked, and nobody waits.
//
//   store::BackupOptions options;
//   options.store = "my-site/state";
//   options.folder = "/mnt/backup/my-site";
//   options.end = …;                         // where the journal of the open store ends
//   const auto report = TRY(store::back_up(options));
//
// A second backup into the same folder copies what is new or has changed. Until its manifest stands
// the one before is whole, whatever happens. The way back: restore.h. What is copied, what is not
// and why: docs/decisions/0027-a-backup-is-a-copy-and-a-manifest.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/store/backup_manifest.h"
#include "engine/store/store.h"
#include "parsers/text/diagnostic.h"

namespace cannula::store {

// Files of the store's folder that other rooms write. They are taken after the journal, in the
// order in which they are given; those that are not there are passed over.
struct SideFile {
  enum class Kind {
    lines,   // only appended to: taken up to the end of its last whole line
    steady,  // small and overwritten in place: read until two readings agree
    folder,  // of files as of `lines`, each of which is at an end when the next begins
  };
  std::string path;  // in the store's folder
  Kind kind = Kind::lines;
  std::string suffix{};  // of the files in a folder: ".log"
};

struct BackupOptions {
  std::filesystem::path store;        // the store's folder
  std::filesystem::path folder;       // of the backup; made if absent, where that above it is there
  FileSystem* store_files = nullptr;  // null: the real one
  FileSystem* folder_files = nullptr;  // null: the real one
  std::string site{};                  // for the manifest
  // Where the journal ends on disk just now: end() of the process that has the store open, or
  // end_at_rest(). Asked several times.
  EndOfOpenStore end;
  std::vector<SideFile> beside{};
  // A rest after each piece of copying, so many times as long as that took.
  unsigned rest = 0;
  std::function<void(std::uint64_t done, std::uint64_t all)> on_progress{};  // bytes
};

struct BackupReport {
  BackupManifest manifest;
  std::size_t segments = 0;
  std::uint64_t files_copied = 0;  // the others were there, unchanged
  std::uint64_t bytes_copied = 0;
  std::uint64_t records_read = 0;  // of the segments copied: each frame was read back
  // Names in the folder of files that were not as they had been written, though they had not
  // changed in the store: what holds the backup damaged them. They were copied anew.
  std::vector<std::string> mended{};
  // Damage of the store, which the backup now has as well.
  std::vector<Diagnostic> damage;
};

// J114 when the folder cannot be used for this store, J117 when somebody else works with it, J207
// when retention left no moment to copy in. After an error the backup before is whole.
Result<BackupReport> back_up(const BackupOptions& options);

// Whether `inner` is `outer` or a folder somewhere in it, through whatever links.
bool lies_in(const std::filesystem::path& inner, const std::filesystem::path& outer);

// Where the journal of a store ends that no process has open. Holds the store's lock meanwhile:
// J101 when there is one.
Result<Position> end_at_rest(const std::filesystem::path& directory,
                             FileSystem* file_system = nullptr);

}  // namespace cannula::store
