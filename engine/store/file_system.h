// Everything the journal asks of a disk. The real one is POSIX; tests put in one that forgets what
// was not synced, fails or stops after any operation (tests/faults/faulty_file_system.h). SQLite,
// being rebuildable, goes to the disk itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::store {

// Failures carry J103 when the disk is full and J104 for any other trouble.
//
// An open file. read() may be called from any thread; the others from one thread at a time.
class File {
 public:
  virtual ~File() = default;

  // Fills `into` from `offset`; returns how many bytes there were, fewer only at the end of the
  // file.
  virtual Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t size) const = 0;
  // All of `bytes` or an error; after an error any part of them may be in the file.
  virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
  // Returns when the content is on disk (fdatasync). After an error nothing is known of what was
  // written since the last success, and asking again does not help: the kernel may have dropped the
  // pages.
  virtual Result<void> sync() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() const = 0;
};

// Held as long as it lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  enum class Access {
    read,
    write,
    create
  };  // write: read and write; create: also made, must not exist

  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Access access) = 0;
  // Names of the files in `directory`, in no order.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& directory) = 0;
  virtual Result<void> rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  virtual Result<void> remove(const std::filesystem::path& path) = 0;
  virtual Result<void> make_directories(const std::filesystem::path& path) = 0;
  // Returns when the names in `directory` are on disk.
  virtual Result<void> sync_directory(const std::filesystem::path& directory) = 0;
  virtual Result<std::uint64_t> free_space(const std::filesystem::path& directory) = 0;
  // Takes `path` for this process alone and writes its pid there; J101 says which process holds it
  // already.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) = 0;

  static FileSystem& real();
};

}  // namespace cannula::store
