#include "engine/security/keys/whole_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::security {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

Error failure(std::string_view what, const std::filesystem::path& path) {
  return Error{
      "K104", fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(errno)),
      "see that the disk has room and the folder belongs to the user that runs cannula"};
}

// A pipe, which would be opened without waiting for its other end, keeps nothing.
std::optional<Error> why_not_plain(const Descriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return failure("cannot examine", path);
  if (S_ISREG(status.st_mode)) return std::nullopt;
  return Error{"K104", fmt::format("{} is no plain file", path.string()),
               "put the file itself there"};
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool sync_folder_of(const std::filesystem::path& path) {
  auto folder = path.parent_path();
  if (folder.empty()) folder = ".";
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.number() >= 0 && ::fsync(directory.number()) == 0;
}

// Up to the end of its last whole line.
off_t whole_lines(int file) {
  off_t size = ::lseek(file, 0, SEEK_END);
  char last = '\n';
  while (size > 0 && ::pread(file, &last, 1, size - 1) == 1 && last != '\n') --size;
  return size;
}

// What the name no longer leads to may still lie on the disk: a key that was shredded must not.
void overwrite(int file) {
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0 || status.st_nlink > 0) return;
  if (write_all(file, std::string(static_cast<std::size_t>(status.st_size), '\0'))) {
    static_cast<void>(::fsync(file));
  }
}

}  // namespace

Result<std::optional<std::string>> read_whole(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file.number() < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return failure("cannot read", path);
  }
  if (auto why = why_not_plain(file, path)) return *std::move(why);
  std::string text;
  char part[4096];
  while (true) {
    const ssize_t count = ::read(file.number(), part, sizeof part);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("cannot read", path);
    if (count == 0) return std::optional<std::string>(std::move(text));
    text.append(part, static_cast<std::size_t>(count));
  }
}

Result<void> replace_whole(const std::filesystem::path& path, std::string_view text) {
  auto fresh = path;
  fresh += ".new";
  const Descriptor old(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  {
    const Descriptor file(::open(
        fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.number() < 0 || !write_all(file.number(), text) || ::fsync(file.number()) != 0) {
      Error error = failure("cannot write", fresh);
      ::unlink(fresh.c_str());
      return error;
    }
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failure("cannot replace", path);
  if (!sync_folder_of(path)) return failure("cannot bring to disk the folder of", path);
  overwrite(old.number());
  return {};
}

Result<void> append_line(const std::filesystem::path& path, std::string_view line) {
  std::error_code ignored;  // opening says why
  std::filesystem::create_directories(path.parent_path(), ignored);
  const Descriptor file(::open(
      path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.number() < 0) return failure("cannot open", path);
  if (auto why = why_not_plain(file, path)) return *std::move(why);
  const off_t before = whole_lines(file.number());
  if (before < 0 || ::ftruncate(file.number(), before) != 0) return failure("cannot write", path);
  const bool written = write_all(file.number(), std::string(line) + "\n") &&
                       ::fdatasync(file.number()) == 0 && (before > 0 || sync_folder_of(path));
  if (written) return {};
  const Error error = failure("cannot write", path);
  static_cast<void>(::ftruncate(file.number(), before));
  return error;
}

Result<FileGuard> FileGuard::take(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  FileGuard guard(file);
  int locked = -1;
  while (file >= 0 && (locked = ::flock(file, LOCK_EX)) != 0 && errno == EINTR) continue;
  if (locked != 0) return failure("cannot lock", path);
  return guard;
}

FileGuard::~FileGuard() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileGuard::FileGuard(FileGuard&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

}  // namespace cannula::security
