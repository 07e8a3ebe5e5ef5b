// The folder a source takes files from, the drop. Who may write into it is somebody else, so a file
// is claimed before it is read: renamed into a folder in the drop that is closed to everyone but
// the engine. What was claimed is what is read, offered, and moved or removed, whatever comes to
// stand under its name in the drop; and what is still claimed at a start was not finished and is
// taken again. Every call blocks on the file system; none is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "channels/file/descriptor.h"
#include "parsers/text/result.h"

namespace cannula::file {

// What tells a file from others and from itself before it was changed.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // nanoseconds
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

struct WaitingFile {
  std::string name;
  FileIdentity identity;
  bool claimed = false;
  bool regular = true;  // false, of a claimed one: a link or device was put in its place; not to be
                        // read, only to be set aside
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

  // Makes the folders of the engine, and looks whether all can be used (F101) and are its own
  // (F107).
  Result<void> prepare();

  // What stands claimed and does not match the pattern: left by an earlier start, or being taken by
  // another source of the same folder. After prepare().
  std::vector<std::string> claimed_by_others() const;

  // The files that are complete by now, oldest first, at most kMost: regular files that match the
  // pattern and either have not changed since they were seen `stable_for` ago, or were renamed to a
  // matching name since the last look; those that are claimed already too. Links are never
  // followed. Opens the folders anew, so that one that was away or exchanged is noticed. (F101,
  // F102, F107)
  Result<std::vector<WaitingFile>> look(Clock::time_point now);

  // Takes a file that look() found out of the reach of others; the rest is for claimed files.
  // False: not now, because it changed, is gone, or another one of its name is still claimed; what
  // is to be taken of it the next look tells. (F103, F108)
  Result<bool> claim(WaitingFile& file) const;

  struct Content {
    std::string bytes;  // of a file larger than max_size the first 64 KB
    std::uint64_t size = 0;
    bool unchanged = false;  // false: it is still being written, or gone
  };
  Result<Content> read(const WaitingFile& file) const;  // F103

  // To `done`, or away. (F104)
  Result<void> finish(const WaitingFile& file) const;
  // To the errors, with a new file beside it that says why. (F104)
  Result<void> set_aside(const WaitingFile& file, std::string_view reason) const;

  // Closes the folders until the next look, so that a share can be unmounted.
  void rest() { open_ = {}; }

  // The folder of claimed files in the drop.
  static constexpr const char* kClaimed = ".claimed";
  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kKept = 64 * 1024;

 private:
  struct Sighting {
    std::string name;
    FileIdentity identity;
    Clock::time_point since;
    bool complete = false;
  };
  using Sightings = std::unordered_map<std::uint64_t, Sighting>;  // by inode
  struct Folders {
    Descriptor drop;
    Descriptor claimed;
    Descriptor done;
    Descriptor errors;
  };
  bool matches(const char* name) const;
  Result<void> open_own_folders();
  Result<void> look_into(const Descriptor& folder, bool claimed, Clock::time_point now,
                         Sightings& sightings, std::vector<WaitingFile>& complete) const;
  Result<std::string> move(const std::string& name, const Descriptor& folder,
                           const std::filesystem::path& path) const;
  std::filesystem::path claimed_path() const { return settings_.directory / kClaimed; }

  InboxSettings settings_;
  Folders open_;
  Sightings sightings_;
};

}  // namespace cannula::file
