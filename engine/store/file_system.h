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

  // Whether a name leads to it still: what is written to one that was removed is lost when it is
  // closed.
  virtual bool has_name() const { return true; }
  // Whether it is what stands at `path`, and not a file that was moved or replaced.
  virtual bool is_at(const std::filesystem::path& /*path*/) const { return true; }
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
  // For reading, where others may have put things: J104 for a link, a pipe and whatever else is no
  // plain file. Never waits for one.
  virtual Result<std::unique_ptr<File>> open_plain(const std::filesystem::path& path) = 0;
  // Names of the files in `directory`, in no order.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& directory) = 0;
  virtual Result<void> rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  virtual Result<void> remove(const std::filesystem::path& path) = 0;
  // Removes the name, and overwrites the bytes with zeros unless another name leads to them. Never
  // touches what a link leads to.
  virtual Result<void> destroy(const std::filesystem::path& path) = 0;
  // With all above it; each is on disk when this returns. The folder itself is closed to others.
  virtual Result<void> make_directories(const std::filesystem::path& path) = 0;
  // This one alone, for its owner; on disk when this returns. A folder that is there stays as it
  // is. J104 when that above it is missing, or a link or a file has the name.
  virtual Result<void> make_directory(const std::filesystem::path& path) = 0;
  // Whether it is a folder, and no link to one.
  virtual bool is_directory(const std::filesystem::path& path) = 0;
  // Returns when the names in `directory` are on disk.
  virtual Result<void> sync_directory(const std::filesystem::path& directory) = 0;
  virtual Result<std::uint64_t> free_space(const std::filesystem::path& directory) = 0;
  // Takes `path` for this process alone and writes its pid there; J101 says which process holds it
  // already.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) = 0;
  // Takes a folder for this process alone, and changes nothing in it. J101 when another has it.
  virtual Result<std::unique_ptr<FileLock>> lock_directory(
      const std::filesystem::path& directory) = 0;

  static FileSystem& real();
};

}  // namespace cannula::store
