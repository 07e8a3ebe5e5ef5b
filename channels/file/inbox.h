// The folder a source takes files from. Every call blocks on the file system; none is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::file {

// What tells a file from others and from itself before it was changed.
struct FileIdentity {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // nanoseconds
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

struct WaitingFile {
  std::string name;
  FileIdentity identity;
};

struct InboxSettings {
  std::filesystem::path directory;
  std::string pattern;
  std::chrono::milliseconds stable_for{};
  std::filesystem::path done;  // empty: files are removed
  std::filesystem::path errors;
  std::size_t max_size = 0;
};

class Inbox {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Inbox(InboxSettings settings) : settings_(std::move(settings)) {}

  // Makes the folders that files are moved to, and looks whether all can be used (F101).
  Result<void> prepare() const;

  // The files that are complete by now, oldest first, at most kMost: regular files that match the
  // pattern and either have not changed since they were seen `stable_for` ago, or were renamed to a
  // matching name since the last look. Links are never followed. (F102)
  Result<std::vector<WaitingFile>> look(Clock::time_point now);

  struct Content {
    std::string bytes;  // of a file larger than max_size the first 64 KB
    std::uint64_t size = 0;
    bool unchanged = false;  // false: it is still being written, or gone
  };
  Result<Content> read(const WaitingFile& file) const;  // F103

  // Takes the file out of the folder: to `done`, or away. (F104)
  Result<void> finish(const WaitingFile& file) const;
  // To the errors, with a file beside it that says why. (F104)
  Result<void> set_aside(const WaitingFile& file, std::string_view reason) const;

  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kKept = 64 * 1024;

 private:
  struct Sighting {
    std::string name;
    FileIdentity identity;
    Clock::time_point since;
  };
  Result<std::string> move(const std::string& name, const std::filesystem::path& folder) const;

  InboxSettings settings_;
  std::unordered_map<std::uint64_t, Sighting> sightings_;  // by inode
};

}  // namespace cannula::file
