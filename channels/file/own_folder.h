// The drop and the folders of the engine in it, opened so that nobody who may write into the drop
// can have another folder taken for them. All block on the file system.
#pragma once

#include <filesystem>
#include <string_view>

#include "channels/file/descriptor.h"
#include "parsers/text/result.h"

namespace cannula::file {

// What stands at `name` of the folder `parent`, a descriptor, in place of a folder, such as "is a
// link"; empty when it is a folder, or nothing is there.
std::string_view what_stands(int parent, const std::filesystem::path& name);

// The folder that files are taken from: itself, not what a link points to. (F101)
Result<Descriptor> open_drop(const std::filesystem::path& drop);

enum class Use {
  kept,     // files that are done or refused: the engine's own or root's
  claimed,  // files being worked: the engine's own, and closed to everyone else
};

// A folder of the engine, made when it is missing; below the drop no link on the way to it is
// followed. Fails (F101) when it cannot be used or lies on another file system than the drop, and
// (F107) when a link, a file or a folder of somebody else stands there: who planted it would choose
// where files go.
Result<Descriptor> open_own_folder(const Descriptor& drop, const std::filesystem::path& drop_path,
                                   const std::filesystem::path& folder, Use use);

// The same of both without making or opening anything, for `cannula check`, which may run as
// another user than the engine: links and files where folders should be.
Result<void> look_for_planted(const std::filesystem::path& drop_path,
                              const std::filesystem::path& folder);

}  // namespace cannula::file
