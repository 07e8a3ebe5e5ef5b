// A time in a small file of its own in the store's folder. Blocks on the disk. Any thread, one at a
// time for each file.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/store/record.h"
#include "parsers/text/result.h"

namespace cannula::pipeline {

// Microseconds since 1970, put in the place of what was there. K104 when it cannot be written.
Result<void> note_time(const std::filesystem::path& file, store::Timestamp time);

// What was noted last; nothing when there is none, or it cannot be read.
std::optional<store::Timestamp> noted_time(const std::filesystem::path& file);

}  // namespace cannula::pipeline
