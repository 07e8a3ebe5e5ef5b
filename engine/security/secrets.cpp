#include "engine/security/secrets.h"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::security {
namespace {

constexpr std::size_t kLargest = 64u << 10;  // bytes

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Error unreadable(const std::string& path, std::string_view reason) {
  return {"P122",
          fmt::format("the secret file {} cannot be read: {}", path, reason),
          "put it there, readable by the user that runs cannula and by nobody else",
          {}};
}

Result<Secret> read_file(const std::string& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat status {};
  if (file.fd < 0 || ::fstat(file.fd, &status) != 0) {
    return unreadable(path, std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return unreadable(path, "it is not a regular file");

  Secret secret;
  while (secret.text.size() <= kLargest) {
    char part[4096];
    const ssize_t count = ::read(file.fd, part, sizeof part);
    if (count < 0) return unreadable(path, std::strerror(errno));
    if (count == 0) break;
    secret.text.append(part, static_cast<std::size_t>(count));
  }
  if (secret.text.size() > kLargest) return unreadable(path, "it is larger than 64 KB");
  while (secret.text.ends_with('\n') || secret.text.ends_with('\r')) secret.text.pop_back();
  if ((status.st_mode & S_IROTH) != 0) {
    secret.warning = fmt::format(
        "every user of this machine can read the secret file {}; chmod 600 takes that away", path);
  }
  return secret;
}

}  // namespace

Result<Secret> read_secret(const SecretReference& reference) {
  Secret secret;
  if (reference.kind == SecretReference::Kind::file) {
    secret = TRY(read_file(reference.name));
  } else {
    const char* value = std::getenv(reference.name.c_str());
    if (value == nullptr) {
      return Error{"P121",
                   fmt::format("the environment variable {} is not set", reference.name),
                   "set it in the environment that cannula is started with",
                   {}};
    }
    secret.text = value;
  }
  if (secret.text.empty()) {
    return Error{"P123",
                 fmt::format("the secret in {} is empty", reference.name),
                 "an empty secret protects nothing; put the real one there",
                 {}};
  }
  return secret;
}

}  // namespace cannula::security
