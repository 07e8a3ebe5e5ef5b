// A disk in memory that behaves as badly as disks may: it forgets what was not synced when the
// power goes, tears writes, fails any operation, and after a failed sync forgets the pages while it
// goes on showing them (as Linux does).
//
// Operations that change something are counted from 1. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/store/file_system.h"

namespace cannula::store {

class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(std::uint64_t seed = 1) : random_(seed) {}

  // The power goes when operation `number` is to be done: it and all later ones fail.
  void crash_at(std::uint64_t number);
  // Operations `first` to `first + count - 1` fail with `code` (J103: disk full, J104: I/O error).
  // A failing write leaves a part of its bytes behind.
  void fail_at(std::uint64_t first, std::uint64_t count, std::string code);
  // What a crash leaves of writes and names that were not synced: nothing, or any part of them.
  enum class Unsynced { lost, torn };
  // The power is back. Files that were open are of no use any more. Nothing fails from here on.
  void restart(Unsynced unsynced);

  std::uint64_t operations() const;
  bool crashed() const;

  // For damage: the bytes of a file as they are now, on the disk and in memory.
  std::string content(const std::filesystem::path& path) const;
  void overwrite(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes);
  void forget(const std::filesystem::path& path);

  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Access access) override;
  Result<std::unique_ptr<File>> open_plain(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> remove(const std::filesystem::path& path) override;
  Result<void> destroy(const std::filesystem::path& path) override;
  Result<void> make_directories(const std::filesystem::path& path) override;
  Result<void> make_directory(const std::filesystem::path& path) override;
  bool is_directory(const std::filesystem::path& path) override;
  Result<void> sync_directory(const std::filesystem::path& directory) override;
  Result<std::uint64_t> free_space(const std::filesystem::path& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> lock_directory(const std::filesystem::path& directory) override;

 private:
  struct Change {  // of a file, not synced
    bool truncation = false;
    std::uint64_t offset = 0;  // or the new size
    std::string bytes;
  };
  struct Inode {
    std::string visible;
    std::string durable;
    std::vector<Change> unsynced;
  };
  using Names = std::map<std::filesystem::path, std::shared_ptr<Inode>>;
  class OpenFile;
  class HeldLock;

  // Counts an operation; the error it is to fail with, if any.
  std::optional<Error> trouble();
  static void apply(const Change& change, std::string& to);
  // Applies each sector of the change with a probability of a half, the last one in part.
  void apply_torn(const Change& change, std::string& to);

  mutable std::mutex lock_;
  std::mt19937_64 random_;
  Names visible_;
  Names durable_;
  std::set<std::filesystem::path> locks_;
  std::uint64_t operations_ = 0;
  std::uint64_t crash_at_ = 0;
  std::uint64_t fail_first_ = 0;
  std::uint64_t fail_count_ = 0;
  std::string fail_code_;
  std::uint64_t power_ = 0;  // counts restarts: files opened before are dead
  bool crashed_ = false;
};

}  // namespace cannula::store
