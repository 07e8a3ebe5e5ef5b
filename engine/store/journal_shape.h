// What retention has made of a journal so far, as a text: its packed segments and the file
// `pruned`. Who reads the journal of another process asks before and after: another text says that
// segments were replaced or removed meanwhile.
#pragma once

#include <filesystem>
#include <string>

#include "engine/store/file_system.h"

namespace cannula::store {

// `directory` is that of the segments.
Result<std::string> shape_of_journal(const std::filesystem::path& directory, FileSystem& files);

}  // namespace cannula::store
