#include "channels/file/file_writer.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channels/file/descriptor.h"
#include "channels/file/own_folder.h"

namespace cannula::file {

namespace fs = std::filesystem;

namespace {

Error write_error(const fs::path& path, std::string_view doing) {
  return {"F202",
          path.string() + " cannot be " + std::string(doing) + ": " +
              std::generic_category().message(errno),
          "see to the folder, its rights and the room on its disk", std::nullopt};
}

// The folders that a batch is written to, each opened once. Below the directory no link is
// followed: whoever may write there would choose where the files go.
class Folders {
 public:
  explicit Folders(const fs::path& directory) : directory_(directory) {}

  // The descriptor of a folder, by its path below the directory; made and put on disk when it is
  // missing.
  Result<int> open(const fs::path& below) {
    if (const auto known = open_.find(below); known != open_.end()) return known->second.number();
    Descriptor opened = TRY(below.empty() ? open_directory() : step(below));
    return open_.emplace(below, std::move(opened)).first->second.number();
  }

 private:
  Result<Descriptor> open_directory() const {
    Descriptor opened(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.is_open()) return write_error(directory_, "opened");
    return {boost::system::in_place_value, std::move(opened)};
  }

  Result<Descriptor> step(const fs::path& below) {
    const int parent = TRY(open(below.parent_path()));
    const fs::path name = below.filename();
    if (::mkdirat(parent, name.c_str(), 0750) == 0) {
      if (::fsync(parent) != 0) {
        const Error failure = write_error(directory_ / below.parent_path(), "synchronised");
        // Or the next file would take it for one that is on disk.
        ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
        return failure;
      }
    } else if (errno != EEXIST) {
      return write_error(directory_ / below, "made");
    }
    constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Descriptor opened(::openat(parent, name.c_str(), kFolder));
    if (opened.is_open()) return {boost::system::in_place_value, std::move(opened)};
    const Error failure = write_error(directory_ / below, "opened");
    const std::string_view what = what_stands(parent, name);
    if (what.empty()) return failure;
    return Error{"F205",
                 (directory_ / below).string() + " " + std::string(what) +
                     ", where a folder of the destination should be",
                 "whoever may write into " + directory_.string() +
                     " can have put it there; move it away, and the engine makes its own",
                 std::nullopt};
  }

  const fs::path& directory_;
  std::map<fs::path, Descriptor> open_;
};

// So that the disk works on all files before the first is waited for. False: what was written is
// lost, and the sync that follows might not say so.
bool begin_write_back(const Descriptor& file) {
  if (::sync_file_range(file.number(), 0, 0, SYNC_FILE_RANGE_WRITE) == 0) return true;
  const bool not_here = errno == ENOSYS || errno == EINVAL || errno == ESPIPE ||
                        errno == EOPNOTSUPP || errno == EPERM;
  return not_here;
}

// A file on its way to its name. The steps are taken in their order.
class Draft {
 public:
  Draft(const fs::path& directory, Folders& folders, FileWriter::Request& request,
        const std::atomic<bool>& abandoned)
      : request_(request),
        abandoned_(abandoned),
        path_(directory / request.name),
        name_(path_.filename()),
        temporary_("." + request.key + ".tmp") {
    const auto folder = folders.open(fs::path(request.name).parent_path());
    if (!folder) {
      note(folder.error());
      return;
    }
    folder_ = *folder;
    note(fill());
  }
  Draft(Draft&&) = default;
  Draft& operator=(Draft&&) = delete;
  ~Draft() { abandon(); }

  void sync() {
    if (unfinished_.is_open() && ::fsync(unfinished_.number()) != 0) {
      fail(write_error(path_, "written to disk"));
    }
  }
  void rename() {
    if (!unfinished_.is_open() || abandoned_) return;
    if (::renameat(folder_, temporary_.c_str(), folder_, name_.c_str()) != 0) {
      return fail(write_error(path_, "named"));
    }
    unfinished_ = Descriptor();
    named_ = true;
  }
  // The folder that has to be synced for its name; none when it has none.
  std::optional<int> folder() const { return named_ ? std::optional(folder_) : std::nullopt; }
  Error sync_error() const { return write_error(path_.parent_path(), "synchronised"); }
  void note(Result<void> result) { request_.result = std::move(result); }

 private:
  Result<void> fill() {
    ::unlinkat(folder_, temporary_.c_str(), 0);  // of an attempt that was cut off
    unfinished_ = Descriptor(::openat(folder_, temporary_.c_str(),
                                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
    if (!unfinished_.is_open()) return write_error(path_, "created");
    std::string_view content = *request_.content;
    while (!content.empty()) {
      const ssize_t count = ::write(unfinished_.number(), content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        const Error failure = write_error(path_, "written");
        abandon();
        return failure;
      }
      content.remove_prefix(static_cast<std::size_t>(count));
    }
    if (!begin_write_back(unfinished_)) {
      const Error failure = write_error(path_, "written to disk");
      abandon();
      return failure;
    }
    return {};
  }
  void fail(Error failure) {
    abandon();
    note(std::move(failure));
  }
  void abandon() {
    // By then another writer may have one of that name.
    if (unfinished_.is_open() && !abandoned_) ::unlinkat(folder_, temporary_.c_str(), 0);
    unfinished_ = Descriptor();
  }

  FileWriter::Request& request_;
  const std::atomic<bool>& abandoned_;
  fs::path path_;
  fs::path name_;
  std::string temporary_;
  int folder_ = -1;
  Descriptor unfinished_;  // open from its creation until it has its name
  bool named_ = false;
};

// A sync serves all that was renamed in its folder.
void sync_folders(std::vector<Draft>& drafts) {
  std::map<int, Result<void>> synced;
  for (Draft& draft : drafts) {
    const auto folder = draft.folder();
    if (!folder) continue;
    auto known = synced.find(*folder);
    if (known == synced.end()) {
      Result<void> result;
      if (::fsync(*folder) != 0) result = draft.sync_error();
      known = synced.emplace(*folder, std::move(result)).first;
    }
    draft.note(known->second);
  }
}

}  // namespace

void FileWriter::add(std::shared_ptr<Request> request) {
  const std::lock_guard guard(lock_);
  waiting_.push_back(std::move(request));
}

// What waits, up to where a name comes a second time: two of one name follow one another.
FileWriter::Requests FileWriter::take_batch() {
  const std::lock_guard guard(lock_);
  auto end = waiting_.begin();
  const auto same_name = [&](const auto& one) { return one->name == (*end)->name; };
  while (end != waiting_.end() && end - waiting_.begin() < static_cast<std::ptrdiff_t>(kAtOnce) &&
         std::none_of(waiting_.begin(), end, same_name)) {
    ++end;
  }
  Requests batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return batch;
}

Result<void> FileWriter::write(const Request& request) {
  while (!request.written) {
    const Requests batch = take_batch();
    if (batch.empty()) {  // who took it had no memory to go on
      throw std::runtime_error((directory_ / request.name).string() + " was left unwritten");
    }
    Folders folders(directory_);
    std::vector<Draft> drafts;
    drafts.reserve(batch.size());
    for (const auto& one : batch) drafts.emplace_back(directory_, folders, *one, abandoned_);
    for (Draft& draft : drafts) draft.sync();
    for (Draft& draft : drafts) draft.rename();
    sync_folders(drafts);
    for (const auto& one : batch) one->written = true;
  }
  return request.result;
}

}  // namespace cannula::file
