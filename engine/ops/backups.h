// Backups of a site's store and the way back, as acts of a person: with their entries in the audit
// trail. The engine may run while a backup is made; nothing waits for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/config/site.h"
#include "engine/store/backup.h"
#include "engine/store/restore.h"

namespace cannula::ops {

using CopyProgress = std::function<void(std::uint64_t done, std::uint64_t all)>;  // bytes

// What a store keeps of a backup's end: `request` is that which enters it in the audit trail. Once
// a backup is made its time is noted (last_backup.h); where that cannot be written it is logged,
// since the backup stands all the same. By whoever holds the store.
void note_end_of_backup(const config::Site& site, const nlohmann::json& request);

// What of a site's store is taken beside the journal and the keys.
std::vector<store::SideFile> side_files();

struct MadeBackup {
  store::BackupReport report;
  bool running = false;  // an engine had the store open
  // Names in the store's folder that were not taken and that a new start does not make by itself.
  std::vector<std::string> left_out;
  std::string master_key;  // where the key is kept without which the backup cannot be read
  bool master_key_in_store = false;  // in a file in the store's folder, which is not taken
  bool master_key_missing = false;   // in a file that is not there
  bool same_disk = false;            // as the store: what takes one takes the other
  bool in_site = false;              // the backup lies in the site's folder
  std::string audit_trouble;         // why its end is not in the trail; empty when it is
};

// A101: the trail does not take the entry, so no backup is made. U205: there is no store. Otherwise
// as store::back_up(). `actor`: whom the person says to be.
Result<MadeBackup> back_up(const config::Site& site, const std::filesystem::path& folder,
                           const std::string& actor, const CopyProgress& progress);

struct RestoreAsked {
  std::filesystem::path backup;
  std::filesystem::path keys{};  // a newer file of keys; empty: the backup's
  bool even_damaged = false;
  bool even_plain = false;  // a backup that has no keys
  std::string actor;
};
struct Restored {
  store::RestoreReport report;
  std::string
      keys_trouble;  // why the keys do not open here, so that the site cannot start; or empty
  std::uint64_t audit_entries = 0;
  std::vector<Diagnostic> audit_findings;  // of the trail as it was restored
};

// Into the site's store folder, which must be empty. A101: the restored trail does not take the
// entry, so nothing is restored. Otherwise as store::restore().
Result<Restored> restore(const config::Site& site, const RestoreAsked& asked,
                         const CopyProgress& progress);

}  // namespace cannula::ops
