// What a backup is, as JSON: in the answers of all verbs about backups.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/store/backup_manifest.h"

namespace cannula::cli {

// {"number", "site", "made", "store", "begin", "end", "files", "bytes", "sealed"}
nlohmann::json backup_json(const store::BackupManifest& manifest);

}  // namespace cannula::cli
