// `cannula store`: how large it is, and whether it is sound.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/backup_json.h"
#include "engine/cli/finding_json.h"
#include "engine/cli/operated_site.h"
#include "engine/cli/progress_bar.h"
#include "engine/cli/site_question.h"
#include "engine/cli/sizes.h"
#include "engine/cli/verb.h"
#include "engine/config/site.h"
#include "engine/ops/control.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/security/site_keys.h"
#include "engine/store/backup_check.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

std::string findings_text(std::size_t count) {
  return count == 1 ? "1 finding" : fmt::format("{} findings", count);
}

std::string edge_text(const json& edge) {
  if (!edge.is_object()) return "none";
  return fmt::format("{} ({})", edge.value("received_at", ""), edge.value("id", ""));
}

std::string stats_text(const json& stats) {
  const json& journal = stats["journal"];
  std::string text = fmt::format(
      "store {}{}\n"
      "  journal   {} of records in {} segments ({} of files), position {} to {}\n"
      "  index     {}\n  audit     {}\n  other     {}\n  disk      {} free\n"
      "  messages  {}",
      stats.value("identity", ""), stats.value("running", false) ? "" : " (not running)",
      size_text(journal.value("bytes", std::uint64_t{0})),
      journal.value("segments", std::uint64_t{0}),
      size_text(journal.value("file_bytes", std::uint64_t{0})),
      journal.value("begin", std::uint64_t{0}), journal.value("end", std::uint64_t{0}),
      size_text(stats["index"].value("bytes", std::uint64_t{0})),
      size_text(stats.value("audit_bytes", std::uint64_t{0})),
      size_text(stats.value("other_bytes", std::uint64_t{0})),
      size_text(stats.value("free_bytes", std::uint64_t{0})),
      stats.value("messages", std::uint64_t{0}));
  if (stats.contains("bytes_per_message")) {
    text += fmt::format(", {} each with all that belongs to it, journal and index",
                        size_text(stats["bytes_per_message"].get<std::uint64_t>()));
  }
  if (const json& forgotten = stats["forgotten"]; forgotten.value("bytes", std::uint64_t{0}) > 0) {
    text += fmt::format("\n  forgotten {} of {} messages are to be given back, since {}",
                        size_text(forgotten["bytes"].get<std::uint64_t>()),
                        forgotten["messages"].get<std::uint64_t>(), forgotten.value("since", ""));
  }
  text += fmt::format("\n  oldest    {}\n  newest    {}\n", edge_text(stats["oldest"]),
                      edge_text(stats["newest"]));
  for (const json& one : stats["counts"]) {
    const std::string destination = one.value("destination", "");
    text += fmt::format("  {:>9} {:<10} {}{}\n", one.value("count", std::uint64_t{0}),
                        one.value("state", ""), visible(one.value("channel", "")),
                        destination.empty() ? "" : " to " + visible(destination));
  }
  return text;
}

// What check() needs to read the store of an engine that runs; null when none does.
Result<store::EndOfOpenStore> end_of_running(const config::Site& site) {
  if (!TRY(ops::ask_engine(site, "store", json::object()))) return store::EndOfOpenStore();
  return store::EndOfOpenStore([&site]() -> Result<store::Position> {
    const auto answer = TRY(ops::ask_engine(site, "store", json::object()));
    if (!answer) {
      return Error{"U202", "the engine stopped while its store was read",
                   "run `cannula store check` again"};
    }
    return (*answer)["journal"]["end"].get<store::Position>();
  });
}

// A lost key is a finding: the rest is read as far as that goes without.
std::shared_ptr<security::KeyRing> keys_of(const config::Site& site,
                                           std::vector<Diagnostic>& findings) {
  auto opened = security::KeyRing::open(security::place_of_keys(site));
  if (opened) return *std::move(opened);
  Diagnostic finding;
  finding.code = opened.error().code;
  finding.message = opened.error().message + "; the journal was checked by its checksums alone";
  finding.hint = opened.error().hint;
  findings.push_back(std::move(finding));
  return nullptr;
}

// What the audit trail tells of where the journal ended, compared with where it does.
void compare_with_trail(const config::Site& site, const std::optional<audit::JournalEnd>& told,
                        store::Recovery& found) {
  if (!told) return;
  const std::string why = audit::why_not_the_same(
      {.store = found.store, .end = found.end, .keys = pipeline::keys_of_store(site)}, *told);
  if (why.empty()) return;
  Diagnostic finding;
  finding.code = "A112";
  finding.message = why;
  finding.hint =
      "messages are missing that were on disk; keep a copy of the store's folder as it is, the "
      "index too, and compare with the last backup and `cannula audit verify`";
  found.damage.push_back(std::move(finding));
}

struct Checked {
  store::Recovery found;
  bool running = false;
};

Result<Checked> check_store(const config::Site& site) {
  if (!std::filesystem::exists(site.store.directory)) {
    return Error{"U205", "the site has no store yet: " + site.store.directory.string(),
                 "it is made when the site runs for the first time"};
  }
  Checked checked;
  std::vector<Diagnostic> findings;
  const auto keys = keys_of(site, findings);
  const store::EndOfOpenStore end = TRY(end_of_running(site));
  // Before the journal, which goes on when the engine runs.
  const auto told =
      TRY(audit::last_journal_end(pipeline::audit_directory(site), store::FileSystem::real()));
  checked.running = end != nullptr;
  checked.found = TRY(store::check(site.store.directory, nullptr, keys, end));
  compare_with_trail(site, told, checked.found);
  auto& damage = checked.found.damage;
  damage.insert(damage.begin(), findings.begin(), findings.end());
  return checked;
}

json check_json(const Checked& checked) {
  const store::Recovery& found = checked.found;
  json answer{{"sound", found.damage.empty()},
              {"running", checked.running},
              {"segments", found.segments},
              {"records", found.records_replayed},
              {"begin", found.begin},
              {"end", found.end},
              {"torn_bytes", found.torn_bytes_cut},
              {"index_compared", found.index_compared},
              {"findings", json::array()}};
  for (const Diagnostic& one : found.damage) answer["findings"].emplace_back(finding_json(one));
  return answer;
}

std::string check_text(const Checked& checked) {
  const store::Recovery& found = checked.found;
  std::string text = fmt::format(
      "{}: {} records in {} segments, {}; {}\n",
      found.damage.empty() ? "sound" : findings_text(found.damage.size()), found.records_replayed,
      found.segments, size_text(found.end - found.begin),
      found.index_compared ? "the index was compared with them" : "the index was not compared");
  if (found.torn_bytes_cut > 0) {
    text += fmt::format(
        "{} bytes at the end were being written when it stopped; nobody was told that they are "
        "stored, and the next start cuts them off\n",
        found.torn_bytes_cut);
  }
  return text;
}

int check_backup(const std::string& folder, const Context& context) {
  const auto checked = [&] {
    ProgressBar bar(context.err, "reading the backup");
    return store::check_backup(folder, nullptr, [&](std::uint64_t done, std::uint64_t all) {
      if (!context.json) bar.show(done, all);
    });
  }();
  if (!checked) {
    print_error(context, checked.error());
    return kFailed;
  }
  const store::BackupManifest& manifest = checked->manifest;
  const std::size_t findings = checked->damage.size();
  if (context.json) {
    json answer = backup_json(manifest);
    answer["sound"] = findings == 0;
    answer["segments"] = checked->segments;
    answer["records"] = checked->records;
    answer["findings"] = json::array();
    for (const Diagnostic& one : checked->damage)
      answer["findings"].emplace_back(finding_json(one));
    print(context.out, answer.dump() + "\n");
  } else {
    print(context.err, render(checked->damage));
    print(context.out,
          fmt::format("{}: backup {} of {}, made {}; {} in {} files, {} records in {} segments\n",
                      findings == 0 ? "sound" : findings_text(findings), manifest.number,
                      visible(manifest.site), visible(manifest.made), size_text(manifest.bytes()),
                      manifest.files.size(), checked->records, checked->segments));
  }
  return findings == 0 ? kFine : kFailed;
}

int check(const std::string& named, const Context& context) {
  if (!named.empty() && !is_site(named) &&
      (store::is_backup(named) || store::is_begun_backup(named))) {
    return check_backup(named, context);
  }
  const auto site = OperatedSite::open(named, context);
  if (!site) return kUsage;
  const auto known = site->needs_store();
  const auto checked = known ? check_store(site->site()) : Result<Checked>(known.error());
  if (!checked) return site->fail(checked.error());
  if (!context.json) print(context.err, render(checked->found.damage));
  print(context.out, context.json ? check_json(*checked).dump() + "\n" : check_text(*checked));
  return checked->found.damage.empty() ? kFine : kFailed;
}

}  // namespace

Verb store_stats_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "store stats",
          .summary = "Say how large a site's store is and what takes the room.",
          .example = "cannula store stats my-site --json",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run =
              [site](const Context& context) {
                return answer_question(*site, "store", json::object(), context, stats_text);
              }};
}

Verb store_check_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "store check",
          .summary =
              "Read all of a site's store, or of a backup, say where it is damaged and what to do; "
              "changes nothing. The engine may run.",
          .example =
              "cannula store check my-site\n"
              "cannula store check /mnt/backup/my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site,
                                     "The site's folder, or the folder of a backup.");
              },
          .run = [site](const Context& context) { return check(*site, context); }};
}

}  // namespace cannula::cli
