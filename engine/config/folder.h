// The files of a site folder, read whole: a finding instead of an exception for whatever a disk can
// answer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "parsers/text/diagnostic.h"

namespace cannula::config {

// Reads `root`/`relative`; the Source is named the same way. Null with a finding (C102) when it
// cannot be read: no permission, a dangling link, not a regular file, larger than 16 MB.
std::shared_ptr<const Source> read_source(const std::filesystem::path& root,
                                          const std::filesystem::path& relative,
                                          std::vector<Diagnostic>& findings);

// The names in a folder, sorted, without those that begin with a dot or end with "~"; empty when it
// is not there. A folder that cannot be listed is a finding (C102).
std::vector<std::string> list_folder(const std::filesystem::path& root,
                                     const std::filesystem::path& relative,
                                     std::vector<Diagnostic>& findings);

// Something of that name is there, even if only a dangling link.
bool is_there(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);

// A finding about a file as a whole, with or without text.
Diagnostic about_file(Severity severity, std::string code, const std::filesystem::path& name,
                      std::string message, std::string hint = {});

}  // namespace cannula::config
