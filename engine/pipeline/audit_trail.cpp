#include "engine/pipeline/audit_trail.h"

#include <sstream>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/security/keys/ring_file.h"
#include "engine/security/keys/whole_file.h"
#include "engine/security/secrets.h"
#include "engine/store/journal.h"
#include "engine/store/segment.h"
#include "engine/store/store_files.h"

namespace cannula::pipeline {

namespace {
constexpr std::size_t kMostNamed = 50;    // files of one entry
constexpr std::size_t kShortestKey = 32;  // characters

// What cannot be read has had some. `up_to`: where the journal ends; 0: where its files do.
bool has_records(const std::filesystem::path& store, store::FileSystem& files,
                 store::Position up_to) {
  const auto directory = store::journal_directory(store);
  if (!files.is_directory(directory)) return false;
  store::Recovery ignored;
  const auto journal = store::Journal::open_to_read(directory, files, up_to, ignored);
  if (!journal || (*journal)->begin() > store::kFirstPosition) return true;
  bool found = false;
  const auto look = [&](const store::Frame& frame) -> Result<bool> {
    found = static_cast<store::RecordType>(frame.header.type) != store::RecordType::closed;
    return !found;
  };
  return !(*journal)->scan((*journal)->begin(), (*journal)->end(), look, nullptr) || found;
}

Result<audit::Options> audit_options(const config::Site& site) {
  audit::Options options;
  options.directory = audit_directory(site);
  options.has_records = [directory = site.store.directory] {
    return has_records(directory, store::FileSystem::real(), 0);
  };
  if (!site.audit.key) return options;
  options.key = TRY(security::read_secret(*site.audit.key)).text;
  if (options.key.size() < kShortestKey) {
    return Error{"A111",
                 fmt::format("the key has {} characters; {} or more are needed", options.key.size(),
                             kShortestKey),
                 "make one with `openssl rand -hex 32`", std::nullopt};
  }
  return options;
}
}  // namespace

bool has_records(const config::Site& site) {
  return has_records(site.store.directory, store::FileSystem::real(), 0);
}

std::filesystem::path audit_directory(const config::Site& site) {
  return site.store.directory / "audit";
}

Result<std::unique_ptr<audit::Log>> open_audit(const config::Site& site,
                                               store::FileSystem* file_system,
                                               std::function<audit::JournalEnd()> journal) {
  auto options = TRY(audit_options(site));
  options.file_system = file_system;
  if (journal) {
    options.has_records = [directory = site.store.directory, journal,
                           files = file_system ? file_system : &store::FileSystem::real()] {
      return has_records(directory, *files, journal().end);
    };
  }
  options.journal = std::move(journal);
  options.report = [](bool trouble, const std::string& text) {
    spdlog::log(trouble ? spdlog::level::err : spdlog::level::info, "{}", text);
  };
  return std::make_unique<audit::Log>(std::move(options));
}

Result<std::unique_ptr<audit::Log>> open_audit_at_rest(const config::Site& site) {
  return std::make_unique<audit::Log>(TRY(audit_options(site)));
}

std::string keys_of_store(const config::Site& site) {
  const auto ring = security::read_ring(site.store.directory);
  return ring && *ring ? security::ring_text((*ring)->id) : std::string();
}

// Lines of "HASH  PATH", as sha256sum writes them.
ConfigurationWatch::ConfigurationWatch(const config::Site& site)
    : site_(site.root), remembered_(site.store.directory / "audit-configuration") {
  const auto remembered = security::read_whole(remembered_);
  std::istringstream lines(remembered ? remembered->value_or("") : "");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t gap = line.find("  ");
    if (gap != std::string::npos) last_[line.substr(gap + 2)] = line.substr(0, gap);
  }
}

audit::Entry ConfigurationWatch::entry(std::string act) {
  audit::Fingerprint now = audit::fingerprint_of(site_);
  audit::Entry entry{.act = std::move(act)};
  entry.detail["hash"] = audit::hash_of(now);
  const auto changed = audit::changes(last_, now);
  std::string files;
  for (std::size_t i = 0; i < changed.size() && i < kMostNamed; ++i)
    files += (i == 0 ? "" : ", ") + changed[i];
  if (changed.size() > kMostNamed)
    files += fmt::format(" and {} more", changed.size() - kMostNamed);
  if (!files.empty()) entry.detail["files"] = files;
  last_ = std::move(now);
  std::string lines;
  for (const auto& [path, hash] : last_) lines += hash + "  " + path + "\n";
  // Without it the next start names more files as changed, which is no reason not to go on.
  static_cast<void>(security::replace_whole(remembered_, lines).has_value());
  return entry;
}

}  // namespace cannula::pipeline
