#include "engine/store/backup_manifest.h"

#include <algorithm>
#include <ctime>
#include <set>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "engine/store/checked_file.h"
#include "engine/store/segment.h"
#include "parsers/text/terminal_text.h"

namespace cannula::store {
namespace {

using nlohmann::json;

constexpr const char* kName = "manifest";
constexpr int kVersion = 1;

Error unreadable(const std::filesystem::path& path, std::string_view why) {
  return Error{"J209", fmt::format("{}: {}", path.string(), why),
               "use another backup; the files beside it can still be looked at by their names"};
}

constexpr std::string_view kDigits = "0123456789";
// What has one name. What ops::side_files() adds belongs here.
constexpr std::string_view kSingle[] = {"keys", "acts.jsonl", "holds.jsonl", "audit-head.json",
                                        "journal/pruned"};

bool is_numbered(std::string_view path, std::string_view folder, std::size_t digits,
                 std::string_view suffix) {
  return path.size() == folder.size() + digits + suffix.size() && path.starts_with(folder) &&
         path.ends_with(suffix) &&
         path.substr(folder.size(), digits).find_first_not_of(kDigits) == std::string_view::npos;
}

BackupManifest manifest_of(const json& object) {
  BackupManifest manifest;
  manifest.number = object.at("number").get<std::uint64_t>();
  manifest.site = object.at("site").get<std::string>();
  manifest.made = object.at("made").get<std::string>();
  manifest.identity = std::stoull(object.at("store").get<std::string>(), nullptr, 16);
  manifest.begin = object.at("begin").get<Position>();
  manifest.end = object.at("end").get<Position>();
  manifest.keys = std::stoull(object.at("keys").get<std::string>(), nullptr, 16);
  std::set<std::string> paths;
  for (const json& one : object.at("files")) {
    BackupFile file{one.at("path").get<std::string>(), one.at("number").get<std::uint64_t>(),
                    one.at("size").get<std::uint64_t>(), one.at("xxh128").get<std::string>(),
                    one.at("mark").get<std::string>()};
    if (!may_be_in_backup(file.path))
      throw std::runtime_error("it names a file that no backup takes: " + visible(file.path));
    if (!paths.insert(file.path).second) throw std::runtime_error("it names twice " + file.path);
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

std::string text_of(const BackupManifest& manifest) {
  json files = json::array();
  for (const BackupFile& file : manifest.files) {
    files.push_back({{"path", file.path},
                     {"number", file.number},
                     {"size", file.size},
                     {"xxh128", file.checksum},
                     {"mark", file.mark}});
  }
  const json object{{"cannula_backup", kVersion},
                    {"number", manifest.number},
                    {"site", manifest.site},
                    {"made", manifest.made},
                    {"store", identity_text(manifest.identity)},
                    {"begin", manifest.begin},
                    {"end", manifest.end},
                    {"keys", identity_text(manifest.keys)},
                    {"files", std::move(files)}};
  return object.dump(1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string BackupFile::stored_name() const {
  return fmt::format("{}.{}", path, number);
}

Error not_as_written(const std::filesystem::path& folder, const BackupFile& file,
                     std::string_view why) {
  return Error{"J208", fmt::format("{}: {}", (folder / file.stored_name()).string(), why),
               "take another backup; where the store is still there, remove this file and make the "
               "backup again: it is then copied anew"};
}

bool may_be_in_backup(std::string_view path) {
  return std::find(std::begin(kSingle), std::end(kSingle), path) != std::end(kSingle) ||
         is_numbered(path, "journal/", 20, ".seg") || is_numbered(path, "journal/", 20, ".pack") ||
         is_numbered(path, "audit/", 12, ".log");
}

std::optional<std::string> path_of_stored_name(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot + 1 == name.size() || name[dot + 1] == '0')
    return std::nullopt;
  if (name.find_first_not_of(kDigits, dot + 1) != std::string::npos) return std::nullopt;
  std::string path = name.substr(0, dot);
  if (!may_be_in_backup(path)) return std::nullopt;
  return path;
}

const BackupFile* BackupManifest::find(const std::string& path) const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const BackupFile& one) { return one.path == path; });
  return found == files.end() ? nullptr : &*found;
}

std::uint64_t BackupManifest::bytes() const {
  std::uint64_t bytes = 0;
  for (const BackupFile& file : files) bytes += file.size;
  return bytes;
}

Result<std::optional<BackupManifest>> BackupManifest::load(FileSystem& disk,
                                                           const std::filesystem::path& folder) {
  const std::vector<std::string> names = TRY(disk.list(folder));
  if (std::find(names.begin(), names.end(), kName) == names.end()) {
    return std::optional<BackupManifest>();
  }
  for (const std::string inner : {"journal", "audit"}) {
    const bool there = std::find(names.begin(), names.end(), inner) != names.end();
    if (!there || disk.is_directory(folder / inner)) continue;
    return Error{"J114",
                 fmt::format("{} has {} in it, which is no folder", folder.string(), inner),
                 "nothing is read or written through a link: put the folder itself there",
                 {}};
  }
  const auto path = folder / kName;
  const auto text = checked_text(TRY(read_all_plain(disk, path)));
  if (!text) return unreadable(path, "the checksum does not hold");
  try {
    const json object = json::parse(*text);
    if (const int version = object.at("cannula_backup").get<int>(); version != kVersion) {
      return unreadable(
          path, fmt::format("it has version {}, and this Cannula knows {}", version, kVersion));
    }
    return std::optional<BackupManifest>(manifest_of(object));
  } catch (const std::exception& wrong) {  // json's, of numbers, and ours
    return unreadable(path, wrong.what());
  }
}

Result<void> BackupManifest::save(FileSystem& disk, const std::filesystem::path& folder) const {
  return replace_checked(disk, folder, kName, text_of(*this));
}

std::string backup_time() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace cannula::store
