#include "engine/ops/backups.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/ops/audited.h"
#include "engine/ops/entered.h"
#include "engine/ops/last_backup.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/pipeline/clock.h"
#include "engine/security/audit/verify.h"
#include "engine/security/keys/whole_file.h"
#include "engine/security/secrets.h"
#include "engine/security/site_keys.h"
#include "engine/store/backup_check.h"
#include "engine/store/store_files.h"

namespace cannula::ops {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kMasterKey = "master.key";

// What a start makes anew, what is of a process that runs, and what is put together from others.
constexpr std::string_view kNotNeeded[] = {
    "lock",         "keys.lock",    "keys.copy",           "control.sock", "index.db",
    "index.db-wal", "index.db-shm", "audit-configuration", "last-backup",  "retention-clock"};

std::vector<std::string> left_out_of(const fs::path& directory,
                                     const store::BackupManifest& manifest) {
  std::vector<std::string> left;
  std::error_code ended;
  for (fs::directory_iterator entry(directory, ended), last; !ended && entry != last;
       entry.increment(ended)) {
    const std::string name = entry->path().filename().string();
    const bool taken = std::any_of(
        manifest.files.begin(), manifest.files.end(),
        [&](const auto& file) { return file.path == name || file.path.starts_with(name + "/"); });
    const bool needless =
        name.ends_with(".new") ||
        std::find(std::begin(kNotNeeded), std::end(kNotNeeded), name) != std::end(kNotNeeded);
    if (!taken && !needless) left.push_back(name);
  }
  std::sort(left.begin(), left.end());
  return left;
}

bool is_in(const fs::path& file, const fs::path& directory) {
  return file.lexically_normal().parent_path() == directory.lexically_normal();
}

// The file of the master key where it lies in the store's folder; nothing when it is elsewhere.
std::optional<std::string> master_key_in_store(const config::Site& site) {
  if (!site.keys.master) return kMasterKey;
  const auto& written = site.keys.master->written;
  if (!written || written->kind != SecretReference::Kind::file ||
      !is_in(written->name, site.store.directory)) {
    return std::nullopt;
  }
  return fs::path(written->name).filename().string();
}

bool on_one_disk(const fs::path& one, const fs::path& other) {
  struct stat first {
  }, second{};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev;
}

}  // namespace

void note_end_of_backup(const config::Site& site, const json& request) {
  const auto began = request.find("began");
  if (began == request.end()) return;
  if (const auto noted = note_backup(site.store.directory, began->get<store::Timestamp>()); !noted)
    spdlog::warn("the time of this backup is not kept for the metrics: {}", noted.error().text());
}

// The store knows these names as well: store::may_be_in_backup().
std::vector<store::SideFile> side_files() {
  using Kind = store::SideFile::Kind;
  // The head before the trail: it may then be behind, never ahead.
  return {{"acts.jsonl", Kind::lines},
          {"holds.jsonl", Kind::lines},
          {"audit-head.json", Kind::steady},
          {"audit", Kind::folder, ".log"}};
}

Result<MadeBackup> back_up(const config::Site& site, const fs::path& folder,
                           const std::string& actor, const CopyProgress& progress) {
  std::error_code ignored;
  if (!fs::exists(store::journal_directory(site.store.directory), ignored)) {
    return Error{"U205", "the site has no store yet: " + site.store.directory.string(),
                 "it is made when the site runs for the first time"};
  }
  json request{{"actor", actor}, {"to", folder.string()}, {"outcome", "begun"}};
  const std::uint64_t entry = TRY(enter(site, "backup", request));
  MadeBackup made;
  store::BackupOptions options;
  options.store = site.store.directory;
  options.folder = folder;
  options.site = site.root.filename().string();
  options.beside = side_files();
  options.on_progress = progress;
  options.end = [&] { return end_of_journal(site, made.running); };
  static_cast<void>(TRY(options.end()));
  options.rest = made.running ? 1 : 0;
  const store::Timestamp began = pipeline::now_microseconds();
  auto report = store::back_up(options);
  request["entry"] = fmt::format("the end of {}", entry);
  request["outcome"] = report ? "done" : "failed";
  if (report) {
    made.report = *std::move(report);
    request["number"] = std::to_string(made.report.manifest.number);
    request["up_to"] = std::to_string(made.report.manifest.end);
    request["began"] = began;
  } else {
    request["code"] = report.error().code;
    request["reason"] = report.error().message;
  }
  const auto ended = enter(site, "backup", request, [&] { note_end_of_backup(site, request); });
  if (!report) return report.error();
  if (!ended) made.audit_trouble = ended.error().text();
  made.left_out = left_out_of(site.store.directory, made.report.manifest);
  if (made.report.manifest.keys != 0) {
    made.master_key = security::place_of_keys(site).master.place;
    made.master_key_in_store = master_key_in_store(site).has_value();
    constexpr std::string_view kFile = "file:";
    made.master_key_missing = made.master_key.starts_with(kFile) &&
                              !fs::exists(made.master_key.substr(kFile.size()), ignored);
  }
  made.same_disk = on_one_disk(folder, site.store.directory);
  made.in_site = store::lies_in(folder, site.root);
  return made;
}

Result<Restored> restore(const config::Site& site, const RestoreAsked& asked,
                         const CopyProgress& progress) {
  Restored restored;
  store::RestoreOptions options;
  options.backup = asked.backup;
  options.store = site.store.directory;
  options.even_damaged = asked.even_damaged;
  options.even_plain = asked.even_plain;
  options.on_progress = progress;
  if (!asked.keys.empty()) {
    options.keys = TRY(security::read_whole(asked.keys));
    if (!options.keys) {
      return Error{"K105", fmt::format("there is no file {}", asked.keys.string()),
                   "give the file `keys`, or `keys.copy`, of the store as it was last"};
    }
  }
  options.may_be_there = {kMasterKey};
  if (const auto name = master_key_in_store(site)) options.may_be_there.push_back(*name);
  // In the restored trail, which goes on with it.
  options.before_it_counts = [&]() -> Result<void> {
    audit::VerifyOptions verify;
    verify.directory = pipeline::audit_directory(site);
    if (site.audit.key) verify.key = TRY(security::read_secret(*site.audit.key)).text;
    auto verdict = TRY(audit::verify(verify));
    restored.audit_entries = verdict.entries;
    restored.audit_findings = std::move(verdict.findings);
    const auto manifest = TRY(store::manifest_of_backup(store::FileSystem::real(), asked.backup));
    json request{{"actor", asked.actor},
                 {"from", asked.backup.string()},
                 {"outcome", "done"},
                 {"made", manifest.made},
                 {"number", std::to_string(manifest.number)},
                 {"up_to", std::to_string(manifest.end)}};
    if (asked.even_plain) request["even_plain"] = "true";
    const auto log = TRY(pipeline::open_audit_at_rest(site));
    TRY(audited(log.get(), person(::getuid(), asked.actor), "restore", request,
                [&]() -> Result<json> { return json::object(); }));
    return {};
  };
  restored.report = TRY(store::restore(options));
  const auto keys = security::open_site_keys(site);
  if (!keys) {
    restored.keys_trouble = keys.error().text();
  } else if ((*keys)->is_new()) {
    restored.keys_trouble = "the store has no keys; `cannula keys begin` gives it some";
  }
  return restored;
}

}  // namespace cannula::ops
