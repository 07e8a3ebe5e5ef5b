#include "engine/config/folder.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = 16u << 20;  // bytes

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// The text, or why there is none, in `reason` and `hint`.
std::optional<std::string> read_whole(const fs::path& path, std::string& reason,
                                      std::string& hint) {
  // Non-blocking: a named pipe without a writer must not hold us.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.fd < 0) {
    const int error = errno;
    reason = std::strerror(error);
    std::error_code ignored;
    if (error == ENOENT && fs::is_symlink(path, ignored)) {
      reason = fmt::format("it is a link to `{}`, which is not there",
                           fs::read_symlink(path, ignored).string());
      hint = "restore the file that the link names, or delete the link";
    } else if (error == ELOOP) {
      reason = "it is a link that leads to itself";
    } else if (error == EACCES) {
      hint = "let the user that runs cannula read it: chmod and chown";
    }
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) {
    reason = std::strerror(errno);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    reason = S_ISDIR(status.st_mode) ? "it is a folder, not a file" : "it is not a regular file";
    return std::nullopt;
  }
  std::string text;
  while (text.size() <= kLargestFile) {
    char part[65536];
    const ssize_t count = ::read(file.fd, part, sizeof part);
    if (count == 0) return text;
    if (count < 0) {
      reason = std::strerror(errno);
      return std::nullopt;
    }
    text.append(part, static_cast<std::size_t>(count));
  }
  reason = "it is larger than 16 MB";
  return std::nullopt;
}

}  // namespace

Diagnostic about_file(Severity severity, std::string code, const fs::path& name,
                      std::string message, std::string hint) {
  return {severity,
          std::move(code),
          std::move(message),
          std::make_shared<const Source>(name.lexically_normal().string(), ""),
          std::nullopt,
          std::move(hint),
          {}};
}

std::shared_ptr<const Source> read_source(const fs::path& root, const fs::path& relative,
                                          std::vector<Diagnostic>& findings) {
  const fs::path path = root / relative;
  std::string reason, hint;
  auto text = read_whole(path, reason, hint);
  if (!text) {
    findings.push_back(about_file(Severity::error, "C102", path,
                                  fmt::format("this file cannot be read: {}", reason), hint));
    return nullptr;
  }
  return std::make_shared<const Source>(path.lexically_normal().string(), *std::move(text));
}

std::vector<std::string> list_folder(const fs::path& root, const fs::path& relative,
                                     std::vector<Diagnostic>& findings) {
  const fs::path path = root / relative;
  std::vector<std::string> names;
  if (!is_there(path)) return names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!name.starts_with('.') && !name.ends_with('~')) names.push_back(std::move(name));
  }
  if (error) {
    findings.push_back(about_file(Severity::error, "C102", path,
                                  fmt::format("this folder cannot be read: {}", error.message())));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

}  // namespace cannula::config
