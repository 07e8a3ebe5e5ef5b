#include "engine/ops/last_backup.h"

#include "engine/pipeline/noted_time.h"

namespace cannula::ops {
namespace {

constexpr const char* kFile = "last-backup";

}  // namespace

Result<void> note_backup(const std::filesystem::path& store, store::Timestamp began) {
  return pipeline::note_time(store / kFile, began);
}

std::optional<store::Timestamp> last_backup(const std::filesystem::path& store) {
  return pipeline::noted_time(store / kFile);
}

}  // namespace cannula::ops
