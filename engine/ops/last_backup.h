// When the last backup of a store was made: the file `last-backup` in the store's folder, for the
// metric that alerts are put on. Written once the backup's manifest stands, by whoever holds the
// store: the engine when it is told, else the verb. No backup has it, so a restored store is one
// without a backup. Any thread; both block on the disk.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/store/record.h"
#include "parsers/text/result.h"

namespace cannula::ops {

// `began`: when the copying began, microseconds since 1970. K104 when it cannot be written.
Result<void> note_backup(const std::filesystem::path& store, store::Timestamp began);

// What was noted last; nothing when there is none, or it cannot be read.
std::optional<store::Timestamp> last_backup(const std::filesystem::path& store);

}  // namespace cannula::ops
