// Small files, and lines of files, that must never be there in part. Whatever is no plain file is
// refused (K104), and nothing is written through a link.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula::security {

// Nothing when there is no such file; K104 when it cannot be read.
Result<std::optional<std::string>> read_whole(const std::filesystem::path& path);

// Puts `text` in the place of the file, mode 0600, and returns when that is on disk. What stood
// there is overwritten, as far as the disk obeys. After an error (K104) the old content is there.
Result<void> replace_whole(const std::filesystem::path& path, std::string_view text);

// Adds a line (without its end) to the file, which is made with mode 0600 where there is none, with
// its folder; returns when that is on disk. A last line that a crash cut off goes. After an error
// (K104) the line is not there. One caller at a time.
Result<void> append_line(const std::filesystem::path& path, std::string_view line);

// Held as long as it lives; waits for whoever has it.
class FileGuard {
 public:
  static Result<FileGuard> take(const std::filesystem::path& path);
  ~FileGuard();
  FileGuard(FileGuard&& other) noexcept;
  FileGuard& operator=(FileGuard&&) = delete;

 private:
  explicit FileGuard(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace cannula::security
