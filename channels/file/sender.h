// Delivers messages as files.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::file {

std::span<const Option> sender_options();
Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports);

// Writes the file so that under its name there is never a part of it, and when this returns it is
// on disk: temporary name, fsync, rename, fsync of the folder. A file of that name is replaced.
// Makes missing folders below `directory`, not itself. Blocks. (F202)
Result<void> write_file(const std::filesystem::path& directory, const std::string& name,
                        std::string_view content);

}  // namespace cannula::file
