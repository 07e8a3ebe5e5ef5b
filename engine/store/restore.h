// The way back from a backup (backup.h) to a store. It never overwrites, and what was begun and not
// ended is no store: nobody opens it.
//
// A restored store is what the old one was when its backup was begun. What was delivered since is
// delivered again, with the same keys where the script does the same again; what was acknowledged
// since is not there. Its index is built anew when it is opened for the first time.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/backup_manifest.h"
#include "engine/store/store.h"
#include "parsers/text/diagnostic.h"

namespace cannula::store {

struct RestoreOptions {
  std::filesystem::path backup;        // its folder
  std::filesystem::path store;         // made if absent
  FileSystem* backup_files = nullptr;  // null: the real one
  FileSystem* store_files = nullptr;   // null: the real one
  // The text of a newer file of keys of the same store, to take in place of the backup's: what was
  // shredded since stays so.
  std::optional<std::string> keys{};
  // Restores what can be read of a damaged backup, and says what is not as it was written. The
  // manifest, the keys and `pruned` must be whole all the same.
  bool even_damaged = false;
  // Restores a backup of a store that has no keys, which anybody can have made.
  bool even_plain = false;
  std::vector<std::string> may_be_there{};  // names of files that do not make a folder a store
  std::function<void(std::uint64_t done, std::uint64_t all)> on_progress{};  // bytes
  // Called when all is in place and was read, with the store's lock held; after an error nothing
  // was restored.
  std::function<Result<void>()> before_it_counts{};
};

struct RestoreReport {
  BackupManifest manifest;
  std::size_t segments = 0;
  std::uint64_t records = 0;
  // Damage that the store had when the backup was made; with `even_damaged` of the backup as well.
  std::vector<Diagnostic> damage;
};

// J115 when there is something already, J208 when the backup is damaged, J209 when there is none,
// J112 when the keys given are of another store, K118 when the backup has no keys, J101 when
// somebody has the store, J117 the backup. After an error the folder is as empty as it was.
Result<RestoreReport> restore(const RestoreOptions& options);

// J116 when a restore into the folder was ended before its end.
Result<void> no_restore_is_unfinished(FileSystem& files, const std::filesystem::path& directory);

}  // namespace cannula::store
