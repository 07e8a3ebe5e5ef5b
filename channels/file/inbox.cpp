#include "channels/file/inbox.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channels/file/own_folder.h"
#include "parsers/text/terminal_text.h"

namespace cannula::file {

namespace {

namespace fs = std::filesystem;

using OpenFolder = std::unique_ptr<DIR, int (*)(DIR*)>;

constexpr std::size_t kLongestName = 255;

std::string reason_of(int number) {
  return std::generic_category().message(number);
}

std::string shown(const fs::path& path) {
  return visible(path.string());
}

FileIdentity identity_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool is_dots(std::string_view name) {
  return name == "." || name == "..";
}

// With a position of its own.
OpenFolder listing_of(const Descriptor& folder) {
  const int again = ::openat(folder.number(), ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* const listing = again < 0 ? nullptr : ::fdopendir(again);
  if (!listing && again >= 0) ::close(again);
  return {listing, ::closedir};
}

bool is_there(const Descriptor& folder, const std::string& name) {
  struct stat status {};
  return ::fstatat(folder.number(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// As rename(), but what stands at the target stays: EEXIST. 0, or errno.
int rename_to_free_name(const Descriptor& from, const std::string& name, const Descriptor& to,
                        const std::string& target) {
  if (::renameat2(from.number(), name.c_str(), to.number(), target.c_str(), RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL) return errno;
  // Some network file systems do not know the flag.
  if (is_there(to, target)) return EEXIST;
  return ::renameat(from.number(), name.c_str(), to.number(), target.c_str()) == 0 ? 0 : errno;
}

Result<Descriptor> open_to_read(const Descriptor& folder, const std::string& name,
                                const fs::path& path) {
  Descriptor opened(
      ::openat(folder.number(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (opened.is_open() || errno == ENOENT || errno == ELOOP) {
    return {boost::system::in_place_value, std::move(opened)};
  }
  return Error{"F103", shown(path) + " cannot be opened: " + reason_of(errno),
               "the engine must be allowed to read it", std::nullopt};
}

// Whether it is the file that was seen, and no other that took its name.
bool is_still(const Descriptor& opened, const WaitingFile& file) {
  struct stat status {};
  return opened.is_open() && ::fstat(opened.number(), &status) == 0 && S_ISREG(status.st_mode) &&
         identity_of(status) == file.identity;
}

}  // namespace

Result<void> Inbox::open_own_folders() {
  const auto open = [this](const fs::path& folder, Use use) {
    return open_own_folder(open_.drop, settings_.directory, folder, use);
  };
  open_.claimed = TRY(open(claimed_path(), Use::claimed));
  if (!settings_.done.empty()) open_.done = TRY(open(settings_.done, Use::kept));
  open_.errors = TRY(open(settings_.errors, Use::kept));
  return {};
}

Result<void> Inbox::prepare() {
  rest();
  open_.drop = TRY(open_drop(settings_.directory));
  return open_own_folders();
}

bool Inbox::matches(const char* name) const {
  return ::fnmatch(settings_.pattern.c_str(), name, FNM_PERIOD) == 0;
}

std::vector<std::string> Inbox::claimed_by_others() const {
  std::vector<std::string> names;
  const OpenFolder folder = listing_of(open_.claimed);
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    if (!is_dots(entry->d_name) && !matches(entry->d_name)) names.emplace_back(entry->d_name);
  }
  return names;
}

Result<std::vector<WaitingFile>> Inbox::look(Clock::time_point now) {
  rest();
  auto drop = open_drop(settings_.directory);
  if (!drop) {
    Error error = drop.error();
    error.code = "F102";
    error.hint += "; it is tried again at every poll";
    return error;
  }
  open_.drop = *std::move(drop);
  TRY(open_own_folders());
  std::vector<WaitingFile> complete;
  Sightings sightings;
  TRY(look_into(open_.drop, false, now, sightings, complete));
  TRY(look_into(open_.claimed, true, now, sightings, complete));
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

Result<void> Inbox::look_into(const Descriptor& folder, bool claimed, Clock::time_point now,
                              Sightings& sightings, std::vector<WaitingFile>& complete) const {
  const OpenFolder listing = listing_of(folder);
  if (!listing) {
    return Error{"F102",
                 "the folder " + shown(claimed ? claimed_path() : settings_.directory) +
                     " cannot be listed: " + reason_of(errno),
                 "it is tried again at every poll", std::nullopt};
  }
  while (const dirent* entry = ::readdir(listing.get())) {
    if (is_dots(entry->d_name)) continue;
    struct stat status {};
    if (::fstatat(folder.number(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const bool matching = matches(entry->d_name);
    if (!S_ISREG(status.st_mode)) {
      if (claimed && matching)
        complete.push_back({entry->d_name, identity_of(status), true, false});
      continue;
    }
    Sighting sighting{entry->d_name, identity_of(status), now};
    const auto before = sightings_.find(sighting.identity.inode);
    const bool unchanged =
        before != sightings_.end() && before->second.identity == sighting.identity;
    const bool renamed = unchanged && before->second.name != sighting.name;
    if (unchanged) sighting.since = before->second.since;
    sighting.complete = matching && (renamed || (unchanged && before->second.complete) ||
                                     now - sighting.since >= settings_.stable_for);
    if (sighting.complete) complete.push_back({sighting.name, sighting.identity, claimed, true});
    sightings.insert_or_assign(sighting.identity.inode, std::move(sighting));
  }
  return {};
}

Result<bool> Inbox::claim(WaitingFile& file) const {
  // What cannot be read stays where its sender can mend that.
  const fs::path path = settings_.directory / file.name;
  const Descriptor seen = TRY(open_to_read(open_.drop, file.name, path));
  if (!is_still(seen, file)) return false;
  const int failed = rename_to_free_name(open_.drop, file.name, open_.claimed, file.name);
  if (failed == EEXIST || (failed == ENOENT && !is_there(open_.drop, file.name))) return false;
  if (failed != 0) {
    return Error{
        "F108",
        shown(path) + " cannot be moved to " + shown(claimed_path()) + ": " + reason_of(failed),
        "the engine must be allowed to rename files in " + shown(settings_.directory) +
            ": to write in it, and where it has the sticky bit, to own it",
        std::nullopt};
  }
  // Between the look and the renaming another file can have taken the name.
  file.claimed = true;
  struct stat status {};
  return ::fstatat(open_.claimed.number(), file.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(status.st_mode) && identity_of(status) == file.identity;
}

Result<Inbox::Content> Inbox::read(const WaitingFile& file) const {
  const fs::path path = claimed_path() / file.name;
  const Descriptor opened = TRY(open_to_read(open_.claimed, file.name, path));
  if (!is_still(opened, file)) return Content{};

  Content content;
  content.size = file.identity.size;
  content.bytes.resize(content.size <= settings_.max_size
                           ? content.size
                           : std::min<std::size_t>(content.size, kKept));
  std::size_t filled = 0;
  while (filled < content.bytes.size()) {
    const ssize_t count =
        ::read(opened.number(), content.bytes.data() + filled, content.bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error{"F103", shown(path) + " cannot be read: " + reason_of(errno),
                   "it is tried again at every poll", std::nullopt};
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  content.unchanged = filled == content.bytes.size() && is_still(opened, file);
  return content;
}

Result<void> Inbox::finish(const WaitingFile& file) const {
  if (!settings_.done.empty()) {
    TRY(move(file.name, open_.done, settings_.done));
    return {};
  }
  if (::unlinkat(open_.claimed.number(), file.name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return Error{"F104",
               shown(claimed_path() / file.name) + " cannot be removed: " + reason_of(errno),
               "its messages are stored", std::nullopt};
}

Result<void> Inbox::set_aside(const WaitingFile& file, std::string_view reason) const {
  const std::string name = TRY(move(file.name, open_.errors, settings_.errors));
  if (name.empty()) return {};
  constexpr std::size_t kRoom = 24;  // for what is added to the name
  const std::string beside = name.substr(0, kLongestName - kRoom) + ".reason";
  Descriptor made;
  fs::path path;
  for (int number = 0; number < 1000 && !made.is_open(); ++number) {
    const std::string target = beside + (number == 0 ? "" : "." + std::to_string(number)) + ".txt";
    path = settings_.errors / target;
    made = Descriptor(::openat(open_.errors.number(), target.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
    if (!made.is_open() && errno != EEXIST) break;
  }
  bool written = made.is_open();
  while (written && !reason.empty()) {
    const ssize_t count = ::write(made.number(), reason.data(), reason.size());
    if (count < 0 && errno == EINTR) continue;
    written = count >= 0;
    if (written) reason.remove_prefix(static_cast<std::size_t>(count));
  }
  if (written) return {};
  return Error{"F104", shown(path) + " cannot be written: " + reason_of(errno),
               "the file itself was moved there", std::nullopt};
}

// Gives the name there, with a number when there was one of that name; empty when the file is gone.
Result<std::string> Inbox::move(const std::string& name, const Descriptor& folder,
                                const fs::path& path) const {
  for (int number = 0; number < 100'000; ++number) {
    std::string target = number == 0 ? name : name + "." + std::to_string(number);
    const int failed = rename_to_free_name(open_.claimed, name, folder, target);
    if (failed == 0) return {boost::system::in_place_value, std::move(target)};
    if (failed == ENOENT && !is_there(open_.claimed, name)) {
      return {boost::system::in_place_value, std::string()};
    }
    if (failed == EEXIST) continue;
    return Error{"F104",
                 shown(claimed_path() / name) + " cannot be moved to " + shown(path) + ": " +
                     reason_of(failed),
                 "its messages are stored", std::nullopt};
  }
  return Error{"F104", "there are too many files named " + visible(name) + " in " + shown(path),
               "clear the folder", std::nullopt};
}

}  // namespace cannula::file
