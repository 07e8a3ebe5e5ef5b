#include "channels/file/own_folder.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parsers/text/terminal_text.h"

namespace cannula::file {

namespace {

namespace fs = std::filesystem;

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string shown(const fs::path& path) {
  return visible(path.string());
}

Error unusable(const fs::path& folder, int number) {
  return {
      "F101",
      "the folder " + shown(folder) + " cannot be used: " + std::generic_category().message(number),
      "the engine must be allowed to read and write it, and to rename files in it", std::nullopt};
}

// A slash at the end would have the system follow a link.
fs::path without_slash(const fs::path& path) {
  const fs::path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// The way from the drop to a folder below it, on which no link is followed; empty when it lies
// elsewhere, where whoever configured it decides.
fs::path way_within(const fs::path& drop, const fs::path& folder) {
  const fs::path relative = without_slash(folder).lexically_relative(without_slash(drop));
  return !relative.empty() && *relative.begin() == ".." ? fs::path() : relative;
}

Error planted(const fs::path& folder, const fs::path& drop, const std::string& what) {
  return {"F107", shown(folder) + " " + what + ", where a folder of the engine should be",
          "whoever may write into " + shown(drop) +
              " can have put it there; move it away, and the engine makes its own",
          std::nullopt};
}

Result<Descriptor> step(int parent, const fs::path& name, const fs::path& whole,
                        const fs::path& drop, mode_t mode) {
  if (::mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST) {
    return Error{
        "F101",
        "the folder " + shown(whole) + " cannot be made: " + std::generic_category().message(errno),
        "the engine must be allowed to write in " + shown(whole.parent_path()), std::nullopt};
  }
  Descriptor opened(::openat(parent, name.c_str(), kFolder));
  if (opened.is_open()) return {boost::system::in_place_value, std::move(opened)};
  const int number = errno;
  const std::string_view what = what_stands(parent, name);
  if (!what.empty()) return planted(whole, drop, std::string(what));
  return unusable(whole, number);
}

Result<void> check_drop(const fs::path& drop) {
  const std::string_view what = what_stands(AT_FDCWD, drop);
  if (what.empty()) return {};
  return Error{"F101", shown(drop) + " " + std::string(what),
               "name the folder itself in `directory`, not a link to it", std::nullopt};
}

Result<void> check_owner(const Descriptor& folder, const fs::path& path, const fs::path& drop,
                         Use use) {
  struct stat status {};
  if (::fstat(folder.number(), &status) != 0) return unusable(path, errno);
  const uid_t own = ::geteuid();
  if (status.st_uid != own && (use == Use::claimed || status.st_uid != 0)) {
    Error error = planted(path, drop,
                          "belongs to user " + std::to_string(status.st_uid) +
                              ", and the engine runs as user " + std::to_string(own));
    error.hint += "; a network share is mounted so that the engine's user owns what it makes";
    return error;
  }
  if (use == Use::claimed && (status.st_mode & 077) != 0 && ::fchmod(folder.number(), 0700) != 0) {
    return unusable(path, errno);
  }
  return {};
}

Result<void> check_usable(const Descriptor& drop, const fs::path& drop_path,
                          const Descriptor& folder, const fs::path& path) {
  if (::faccessat(folder.number(), ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return unusable(path, errno);
  }
  struct stat here {
  }, there{};
  if (::fstat(drop.number(), &here) != 0) return unusable(drop_path, errno);
  if (::fstat(folder.number(), &there) != 0) return unusable(path, errno);
  if (here.st_dev == there.st_dev) return {};
  return Error{
      "F101", "the folder " + shown(path) + " lies on another file system than " + shown(drop_path),
      "files are moved by renaming, which needs one file system", std::nullopt};
}

}  // namespace

std::string_view what_stands(int parent, const fs::path& name) {
  struct stat status {};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (S_ISLNK(status.st_mode)) return "is a link";
  return S_ISDIR(status.st_mode) ? "" : "is no folder";
}

Result<Descriptor> open_drop(const fs::path& drop) {
  const fs::path plain = without_slash(drop);
  Descriptor opened(::open(plain.c_str(), kFolder));
  if (!opened.is_open()) {
    const int number = errno;
    if (number == ENOENT) {
      return Error{"F101", "there is no folder " + shown(drop), "create it", std::nullopt};
    }
    TRY(check_drop(plain));
    return unusable(drop, number);
  }
  if (::faccessat(opened.number(), ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return unusable(drop, errno);
  }
  return {boost::system::in_place_value, std::move(opened)};
}

Result<Descriptor> open_own_folder(const Descriptor& drop, const fs::path& drop_path,
                                   const fs::path& folder, Use use) {
  const fs::path way = way_within(drop_path, folder);
  Descriptor opened;
  fs::path path = drop_path;
  for (const fs::path& name : way) {
    path /= name;
    const int parent = opened.is_open() ? opened.number() : drop.number();
    opened = TRY(step(parent, name, path, drop_path, use == Use::claimed ? 0700 : 0750));
  }
  if (way.empty()) {
    path = without_slash(folder);
    std::error_code failure;
    fs::create_directories(path.parent_path(), failure);  // step() says so when it failed
    opened = TRY(step(AT_FDCWD, path, path, drop_path, 0750));
  }
  TRY(check_owner(opened, path, drop_path, use));
  TRY(check_usable(drop, drop_path, opened, path));
  return {boost::system::in_place_value, std::move(opened)};
}

Result<void> look_for_planted(const fs::path& drop_path, const fs::path& folder) {
  TRY(check_drop(without_slash(drop_path)));
  fs::path path = drop_path;
  for (const fs::path& name : way_within(drop_path, folder)) {
    path /= name;
    const std::string_view what = what_stands(AT_FDCWD, path);
    if (!what.empty()) return planted(path, drop_path, std::string(what));
  }
  return {};
}

}  // namespace cannula::file
