#include "channels/file/inbox.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::file {

namespace {

namespace fs = std::filesystem;

std::string reason_of(int number) {
  return std::generic_category().message(number);
}

FileIdentity identity_of(const struct stat& status) {
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Result<std::uint64_t> usable_folder(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return Error{"F101", "there is no folder " + folder.string(), "create it", std::nullopt};
  }
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Error{"F101", "the folder " + folder.string() + " cannot be used: " + reason_of(errno),
                 "the engine must be allowed to read and write it", std::nullopt};
  }
  return std::uint64_t{status.st_dev};
}

}  // namespace

Result<void> Inbox::prepare() const {
  const std::uint64_t device = TRY(usable_folder(settings_.directory));
  for (const fs::path& folder : {settings_.done, settings_.errors}) {
    if (folder.empty()) continue;
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure) {
      return Error{"F101",
                   "the folder " + folder.string() + " cannot be made: " + failure.message(), "",
                   std::nullopt};
    }
    if (TRY(usable_folder(folder)) != device) {
      return Error{"F101",
                   "the folder " + folder.string() + " lies on another file system than " +
                       settings_.directory.string(),
                   "files are moved by renaming, which needs one file system", std::nullopt};
    }
  }
  return {};
}

Result<std::vector<WaitingFile>> Inbox::look(Clock::time_point now) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(settings_.directory.c_str()),
                                                   ::closedir);
  if (!folder) {
    return Error{
        "F102",
        "the folder " + settings_.directory.string() + " cannot be listed: " + reason_of(errno),
        "it is tried again at every poll", std::nullopt};
  }
  std::vector<WaitingFile> complete;
  std::unordered_map<std::uint64_t, Sighting> sightings;
  while (const dirent* entry = ::readdir(folder.get())) {
    struct stat status {};
    if (::fstatat(::dirfd(folder.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode)) {
      continue;
    }
    Sighting sighting{entry->d_name, identity_of(status), now};
    const auto before = sightings_.find(sighting.identity.inode);
    const bool unchanged =
        before != sightings_.end() && before->second.identity == sighting.identity;
    const bool renamed = unchanged && before->second.name != sighting.name;
    if (unchanged) sighting.since = before->second.since;
    if (::fnmatch(settings_.pattern.c_str(), entry->d_name, FNM_PERIOD) == 0 &&
        (renamed || now - sighting.since >= settings_.stable_for)) {
      complete.push_back({sighting.name, sighting.identity});
    }
    sightings.insert_or_assign(sighting.identity.inode, std::move(sighting));
  }
  sightings_ = std::move(sightings);

  const auto older = [](const WaitingFile& a, const WaitingFile& b) {
    return std::tie(a.identity.modified, a.name) < std::tie(b.identity.modified, b.name);
  };
  const std::size_t count = std::min(complete.size(), kMost);
  std::partial_sort(complete.begin(), complete.begin() + static_cast<std::ptrdiff_t>(count),
                    complete.end(), older);
  complete.resize(count);
  return complete;
}

Result<Inbox::Content> Inbox::read(const WaitingFile& file) const {
  const fs::path path = settings_.directory / file.name;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT) return Content{};
    return Error{"F103", path.string() + " cannot be opened: " + reason_of(errno),
                 "the engine must be allowed to read it", std::nullopt};
  }
  const std::unique_ptr<const int, void (*)(const int*)> closing(
      &descriptor, [](const int* open) { ::close(*open); });

  Content content;
  content.size = file.identity.size;
  content.bytes.resize(content.size <= settings_.max_size
                           ? content.size
                           : std::min<std::size_t>(content.size, kKept));
  std::size_t filled = 0;
  while (filled < content.bytes.size()) {
    const ssize_t count =
        ::read(descriptor, content.bytes.data() + filled, content.bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error{"F103", path.string() + " cannot be read: " + reason_of(errno), "",
                   std::nullopt};
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  struct stat after {};
  content.unchanged = filled == content.bytes.size() && ::fstat(descriptor, &after) == 0 &&
                      identity_of(after) == file.identity;
  return content;
}

Result<void> Inbox::finish(const WaitingFile& file) const {
  if (!settings_.done.empty()) {
    TRY(move(file.name, settings_.done));
    return {};
  }
  const fs::path path = settings_.directory / file.name;
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return Error{"F104", path.string() + " cannot be removed: " + reason_of(errno),
               "its messages are stored", std::nullopt};
}

Result<void> Inbox::set_aside(const WaitingFile& file, std::string_view reason) const {
  const std::string name = TRY(move(file.name, settings_.errors));
  if (name.empty()) return {};
  const fs::path path = settings_.errors / (name + ".reason.txt");
  std::ofstream out(path, std::ios::binary);
  out << reason;
  out.close();
  if (out) return {};
  return Error{"F104", path.string() + " cannot be written", "the file itself was moved there",
               std::nullopt};
}

// Gives the name there, with a number when there was one of that name; empty when the file is gone.
Result<std::string> Inbox::move(const std::string& name, const fs::path& folder) const {
  const fs::path from = settings_.directory / name;
  for (int number = 0; number < 100'000; ++number) {
    std::string target = number == 0 ? name : name + "." + std::to_string(number);
    const fs::path to = folder / target;
    int failed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (failed != 0 && errno == EINVAL) {
      // Some network file systems do not know the flag.
      std::error_code ignored;
      if (fs::exists(fs::symlink_status(to, ignored))) continue;
      failed = ::rename(from.c_str(), to.c_str());
    }
    if (failed == 0) return {boost::system::in_place_value, std::move(target)};
    if (errno == ENOENT && ::access(from.c_str(), F_OK) != 0) {
      return {boost::system::in_place_value, std::string()};
    }
    if (errno == EEXIST) continue;
    return Error{"F104",
                 from.string() + " cannot be moved to " + folder.string() + ": " + reason_of(errno),
                 "its messages are stored", std::nullopt};
  }
  return Error{"F104", "there are too many files named " + name + " in " + folder.string(),
               "clear the folder", std::nullopt};
}

}  // namespace cannula::file
