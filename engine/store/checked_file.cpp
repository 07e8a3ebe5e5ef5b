#include "engine/store/checked_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "engine/store/segment.h"

namespace cannula::store {
namespace {

std::string line_of_checksum(std::string_view text) {
  return identity_text(XXH3_64bits(text.data(), text.size())) + "\n";
}

constexpr std::uint64_t kMostBytes = 64u << 20;

Result<std::string> bytes_of(const File& file, const std::filesystem::path& path) {
  const std::uint64_t size = TRY(file.size());
  if (size > kMostBytes) {
    return Error{
        "J104",
        fmt::format("{} has {} bytes; such a file has at most {}", path.string(), size, kMostBytes),
        "it is not what Cannula wrote: put it back from a backup"};
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  bytes.resize(TRY(file.read(0, bytes.data(), bytes.size())));
  return bytes;
}

}  // namespace

Result<std::string> read_all(FileSystem& files, const std::filesystem::path& path) {
  return bytes_of(*TRY(files.open(path, FileSystem::Access::read)), path);
}

Result<std::string> read_all_plain(FileSystem& files, const std::filesystem::path& path) {
  return bytes_of(*TRY(files.open_plain(path)), path);
}

std::optional<std::string> checked_text(const std::string& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const std::size_t line = bytes.rfind('\n', bytes.size() - 2);
  if (line == std::string::npos) return std::nullopt;
  std::string text = bytes.substr(0, line);
  if (bytes.substr(line + 1) != line_of_checksum(text)) return std::nullopt;
  return text;
}

Result<void> replace_checked(FileSystem& files, const std::filesystem::path& directory,
                             const std::string& name, std::string_view text) {
  const auto fresh = directory / (name + ".new");
  static_cast<void>(files.remove(fresh).has_value());  // of a crash
  const auto file = TRY(files.open(fresh, FileSystem::Access::create));
  TRY(file->write(0, std::string(text) + "\n" + line_of_checksum(text)));
  TRY(file->sync());
  TRY(files.rename(fresh, directory / name));
  return files.sync_directory(directory);
}

}  // namespace cannula::store
