// A small file that is there whole or not at all: a text, and on a last line of its own the
// checksum of it (XXH3-64, 16 hexadecimal digits). It is replaced by a rename.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "engine/store/file_system.h"

namespace cannula::store {

// All bytes of a file that others may be changing. J104 when it has more than 64 MB: no small file
// of a store ever does, and a sparse one may say that it has any number.
Result<std::string> read_all(FileSystem& files, const std::filesystem::path& path);
// The same with FileSystem::open_plain().
Result<std::string> read_all_plain(FileSystem& files, const std::filesystem::path& path);

// The text in `bytes` without the line of its checksum; nothing when that does not hold.
std::optional<std::string> checked_text(const std::string& bytes);

// On disk when this returns; after an error it may be either the old text or this. `name` with
// ".new" behind it is written first.
Result<void> replace_checked(FileSystem& files, const std::filesystem::path& directory,
                             const std::string& name, std::string_view text);

}  // namespace cannula::store
