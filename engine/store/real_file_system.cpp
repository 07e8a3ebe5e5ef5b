#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/store/file_system.h"

namespace cannula::store {
namespace {

Error failure(std::string_view what, const std::filesystem::path& path) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT;
  return Error{
      full ? "J103" : "J104",
      fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(number)),
      full ? "free space on this disk; work resumes by itself"
           : "see that the disk works, and that the folder belongs to the user that runs cannula",
      {}};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  int number() const { return number_; }

 private:
  int number_;
};

class RealFile final : public File {
 public:
  RealFile(Descriptor descriptor, std::filesystem::path path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t size) const override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t count = ::pread(descriptor_.number(), into + done, size - done,
                                    static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failure("cannot read", path_);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(descriptor_.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failure("cannot write to", path_);
      bytes.remove_prefix(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(descriptor_.number()) != 0) return failure("cannot sync", path_);
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(descriptor_.number(), static_cast<off_t>(size)) != 0) {
      return failure("cannot truncate", path_);
    }
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat status {};
    if (::fstat(descriptor_.number(), &status) != 0) return failure("cannot examine", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  bool has_name() const override {
    struct stat status {};
    return ::fstat(descriptor_.number(), &status) == 0 && status.st_nlink > 0;
  }

  bool is_at(const std::filesystem::path& path) const override {
    struct stat own {};
    struct stat there {};
    if (::fstat(descriptor_.number(), &own) != 0) return false;
    // Whatever else is wrong with the folder will be said by what is done there.
    if (::stat(path.c_str(), &there) != 0) return errno != ENOENT && errno != ENOTDIR;
    return own.st_dev == there.st_dev && own.st_ino == there.st_ino;
  }

 private:
  Descriptor descriptor_;
  std::filesystem::path path_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  // The file stays: removing it would let two processes lock two files of one name. An empty one
  // says nobody holds it.
  ~RealLock() override { static_cast<void>(::ftruncate(descriptor_.number(), 0) == 0); }

 private:
  Descriptor descriptor_;
};

// Of a folder. Nothing is written.
class DirectoryLock final : public FileLock {
 public:
  explicit DirectoryLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  Descriptor descriptor_;
};

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Access access) override {
    // Nothing is written through a link.
    int flags = O_CLOEXEC;
    if (access == Access::read) flags |= O_RDONLY;
    if (access == Access::write) flags |= O_RDWR | O_NOFOLLOW;
    if (access == Access::create) flags |= O_RDWR | O_CREAT | O_EXCL;
    return open_with(path, flags);
  }

  Result<std::unique_ptr<File>> open_plain(const std::filesystem::path& path) override {
    return open_with(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  }

  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator entry(directory, error), last; !error && entry != last;
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) return failed("cannot list", directory, error);
    return names;
  }

  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    std::error_code error;
    std::filesystem::rename(from, to, error);
    if (error) return failed("cannot rename", from, error);
    return {};
  }

  Result<void> remove(const std::filesystem::path& path) override {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) return failed("cannot remove", path, error);
    return {};
  }

  Result<void> destroy(const std::filesystem::path& path) override {
    const Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));  // or none
    TRY(remove(path));
    struct stat status {};
    // A copy of the folder made with hard links has the bytes still, and keeps them.
    if (file.number() < 0 || ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_nlink > 0) {
      return {};
    }
    const std::string zeros(4096, '\0');
    for (off_t at = 0; at < status.st_size;) {
      const auto size =
          std::min<std::size_t>(zeros.size(), static_cast<std::size_t>(status.st_size - at));
      const ssize_t count = ::pwrite(file.number(), zeros.data(), size, at);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return failure("cannot overwrite", path);
      at += count;
    }
    if (::fsync(file.number()) != 0) return failure("cannot sync", path);
    return {};
  }

  Result<void> make_directories(const std::filesystem::path& path) override {
    std::error_code error;
    // Messages of patients: nobody else's business. A group that was let in on purpose stays.
    using std::filesystem::perms;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) {
      std::vector<std::filesystem::path> missing;
      for (auto one = whole(path); !std::filesystem::exists(one, error); one = one.parent_path()) {
        missing.push_back(one);
      }
      for (auto one = missing.rbegin(); one != missing.rend(); ++one) {
        if (::mkdir(one->c_str(), *one == missing.front() ? 0700 : 0777) != 0 &&
            !(errno == EEXIST && std::filesystem::is_directory(*one, error)))
          return failure("cannot make the folder", *one);
        TRY(sync_directory(one->parent_path()));
      }
    } else if (!std::filesystem::is_directory(status)) {
      return failed("cannot make the folder", path,
                    std::make_error_code(std::errc::not_a_directory));
    } else if ((status.permissions() & perms::others_all) != perms::none) {
      // Where it belongs to another user it stays as that user made it.
      std::filesystem::permissions(path, perms::others_all, std::filesystem::perm_options::remove,
                                   error);
    }
    return {};
  }

  Result<void> make_directory(const std::filesystem::path& path) override {
    if (::mkdir(path.c_str(), 0700) == 0) return sync_directory(whole(path).parent_path());
    if (errno != EEXIST) return failure("cannot make the folder", path);
    if (is_directory(path)) return {};
    return failed("cannot make the folder", path, std::make_error_code(std::errc::not_a_directory));
  }

  bool is_directory(const std::filesystem::path& path) override {
    std::error_code ignored;
    return std::filesystem::symlink_status(path, ignored).type() ==
           std::filesystem::file_type::directory;
  }

  Result<void> sync_directory(const std::filesystem::path& directory) override {
    const Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (descriptor.number() < 0 || ::fsync(descriptor.number()) != 0) {
      return failure("cannot sync the folder", directory);
    }
    return {};
  }

  Result<std::uint64_t> free_space(const std::filesystem::path& directory) override {
    struct statvfs status {};
    if (::statvfs(directory.c_str(), &status) != 0) return failure("cannot examine", directory);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override {
    Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (descriptor.number() < 0) return failure("cannot open", path);
    if (::flock(descriptor.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return failure("cannot lock", path);
      return held_by_another(descriptor, path);
    }
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(descriptor.number(), 0) == 0) {
      // A full disk must not keep a store closed: the lock also holds without the pid.
      static_cast<void>(::pwrite(descriptor.number(), pid.data(), pid.size(), 0) > 0);
    }
    return std::make_unique<RealLock>(std::move(descriptor));
  }

  Result<std::unique_ptr<FileLock>> lock_directory(
      const std::filesystem::path& directory) override {
    Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (descriptor.number() < 0) return failure("cannot open the folder", directory);
    if (::flock(descriptor.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return failure("cannot lock", directory);
      return Error{"J101",
                   fmt::format("another process works with the folder {}", directory.string()),
                   "wait until it has ended",
                   {}};
    }
    return std::make_unique<DirectoryLock>(std::move(descriptor));
  }

 private:
  static Result<std::unique_ptr<File>> open_with(const std::filesystem::path& path, int flags) {
    // Without O_NONBLOCK, opening a pipe would wait for who writes to it.
    Descriptor descriptor(::open(path.c_str(), flags | O_NONBLOCK, 0600));
    if (descriptor.number() < 0) {
      if (errno == ELOOP && (flags & O_NOFOLLOW) != 0) return not_plain(path);
      return failure("cannot open", path);
    }
    struct stat status {};
    if (::fstat(descriptor.number(), &status) != 0) return failure("cannot examine", path);
    if (!S_ISREG(status.st_mode)) return not_plain(path);
    return std::make_unique<RealFile>(std::move(descriptor), path);
  }

  static Error not_plain(const std::filesystem::path& path) {
    return Error{
        "J104",
        fmt::format("{} is a link, or something else that is no plain file", path.string()),
        "put the file itself there",
        {}};
  }

  // With a folder above it, and no slash at its end.
  static std::filesystem::path whole(const std::filesystem::path& path) {
    std::error_code ignored;
    auto whole = std::filesystem::absolute(path, ignored).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
  }

  static Error held_by_another(const Descriptor& descriptor, const std::filesystem::path& path) {
    char holder[32] = {};
    const ssize_t size = ::pread(descriptor.number(), holder, sizeof(holder) - 1, 0);
    std::string pid(holder, size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return Error{"J101",
                 fmt::format("the store is in use by process {} (lock file {})",
                             pid.empty() ? "unknown" : pid, path.string()),
                 "stop that process first, or name another site",
                 {}};
  }

  static Error failed(std::string_view what, const std::filesystem::path& path,
                      const std::error_code& error) {
    errno = error.value();
    return failure(what, path);
  }
};

}  // namespace

FileSystem& FileSystem::real() {
  static RealFileSystem file_system;
  return file_system;
}

}  // namespace cannula::store
