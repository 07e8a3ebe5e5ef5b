#include "engine/security/audit/fingerprint.h"

#include <fstream>
#include <sstream>

#include "engine/security/audit/entry.h"

namespace cannula::audit {
namespace {

namespace fs = std::filesystem;

std::string hash_of_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) return "unreadable";
  return sha256(bytes.str());
}

void add_folder(Fingerprint& files, const fs::path& site, const fs::path& folder) {
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error), last;
  for (; !error && entry != last; entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error)) {
      files[entry->path().lexically_relative(site).string()] = hash_of_file(entry->path());
    }
  }
}

}  // namespace

Fingerprint fingerprint_of(const fs::path& site) {
  Fingerprint files;
  std::error_code error;
  if (fs::is_regular_file(site / "site.toml", error))
    files["site.toml"] = hash_of_file(site / "site.toml");
  for (const char* folder : {"partners", "channels", "lib", "rules", "tables", "maps"})
    add_folder(files, site, site / folder);
  return files;
}

std::string hash_of(const Fingerprint& files) {
  std::string all;
  for (const auto& [path, hash] : files) all.append(hash).append("  ").append(path).append("\n");
  return sha256(all);
}

std::vector<std::string> changes(const Fingerprint& before, const Fingerprint& after) {
  std::map<std::string, std::string> found;
  for (const auto& [path, hash] : after) {
    const auto old = before.find(path);
    if (old == before.end()) {
      found[path] = "new ";
    } else if (old->second != hash) {
      found[path] = "changed ";
    }
  }
  for (const auto& [path, hash] : before) {
    if (!after.contains(path)) found[path] = "gone ";
  }
  std::vector<std::string> texts;
  texts.reserve(found.size());
  for (const auto& [path, what] : found) texts.push_back(what + path);
  return texts;
}

}  // namespace cannula::audit
