// Copying files with a checksum (XXH3-128, as `xxh128sum` prints it) over all that was copied.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "engine/store/file_system.h"

namespace cannula::store {

// Told after each piece of at most 4 MB: its bytes, and how long reading and writing it took.
using AfterPiece = std::function<void(std::uint64_t bytes, std::chrono::nanoseconds took)>;

// Makes `to`, which must not exist, of the first `size` bytes of `from`; its content is on disk
// when this returns, its name is not. Synced piece by piece: a process that syncs on the same disk
// then waits for one piece and not for a whole file. J104 when there are fewer bytes.
Result<std::string> copy_file(const File& from, std::uint64_t size, FileSystem& files,
                              const std::filesystem::path& to, const AfterPiece& after_piece);

// The checksum alone. J104 as above.
Result<std::string> checksum_of(const File& file, std::uint64_t size,
                                const AfterPiece& after_piece);

}  // namespace cannula::store
