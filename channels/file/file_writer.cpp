#include "channels/file/file_writer.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channels/file/descriptor.h"

namespace cannula::file {

namespace fs = std::filesystem;

namespace {

Error write_error(const fs::path& path, std::string_view doing) {
  return {"F202",
          path.string() + " cannot be " + std::string(doing) + ": " +
              std::generic_category().message(errno),
          "", std::nullopt};
}

Result<void> sync_folder(const fs::path& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.number()) != 0) return write_error(path, "synchronised");
  return {};
}

// Makes the folders of `path` below `directory` that are missing, and puts them on disk.
Result<void> make_folders(const fs::path& directory, const fs::path& path) {
  fs::path parent = directory;
  for (const fs::path& part : path) {
    const fs::path folder = parent / part;
    if (::mkdir(folder.c_str(), 0750) == 0) {
      if (auto synced = sync_folder(parent); !synced) {
        ::rmdir(folder.c_str());  // or the next file would take it for one that is on disk
        return synced;
      }
    } else if (errno != EEXIST) {
      return write_error(folder, "made");
    }
    parent = folder;
  }
  return {};
}

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
  Draft(const fs::path& directory, FileWriter::Request& request)
      : request_(request),
        path_(directory / request.name),
        temporary_(path_.parent_path() / ("." + path_.filename().string() + ".tmp")) {
    note(make_folders(directory, fs::path(request.name).parent_path()));
    if (request_.result) note(fill());
  }
  Draft(Draft&&) = default;
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (unfinished_.is_open()) ::unlink(temporary_.c_str());
  }

  void sync() {
    if (unfinished_.is_open() && ::fsync(unfinished_.number()) != 0) {
      fail(write_error(temporary_, "written to disk"));
    }
  }
  void rename() {
    if (!unfinished_.is_open()) return;
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail(write_error(path_, "named"));
    unfinished_ = Descriptor();
    named_ = true;
  }
  // The folder that has to be synced for its name; none when it has none.
  fs::path folder() const { return named_ ? path_.parent_path() : fs::path(); }
  void note(Result<void> result) { request_.result = std::move(result); }

 private:
  Result<void> fill() {
    unfinished_ = Descriptor(
        ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640));
    if (!unfinished_.is_open()) return write_error(temporary_, "created");
    std::string_view content = *request_.content;
    while (!content.empty()) {
      const ssize_t count = ::write(unfinished_.number(), content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        const Error failure = write_error(temporary_, "written");
        abandon();
        return failure;
      }
      content.remove_prefix(static_cast<std::size_t>(count));
    }
    if (!begin_write_back(unfinished_)) {
      const Error failure = write_error(temporary_, "written to disk");
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
    ::unlink(temporary_.c_str());
    unfinished_ = Descriptor();
  }

  FileWriter::Request& request_;
  fs::path path_;
  fs::path temporary_;
  Descriptor unfinished_;  // open from its creation until it has its name
  bool named_ = false;
};

// A sync serves all that was renamed in its folder.
void sync_folders(std::vector<Draft>& drafts) {
  std::vector<std::pair<fs::path, Result<void>>> synced;
  for (Draft& draft : drafts) {
    const fs::path folder = draft.folder();
    if (folder.empty()) continue;
    auto known =
        std::find_if(synced.begin(), synced.end(), [&](auto& one) { return one.first == folder; });
    if (known == synced.end()) {
      known = synced.insert(synced.end(), {folder, sync_folder(folder)});
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
    std::vector<Draft> drafts;
    drafts.reserve(batch.size());
    for (const auto& one : batch) drafts.emplace_back(directory_, *one);
    for (Draft& draft : drafts) draft.sync();
    for (Draft& draft : drafts) draft.rename();
    sync_folders(drafts);
    for (const auto& one : batch) one->written = true;
  }
  return request.result;
}

}  // namespace cannula::file
