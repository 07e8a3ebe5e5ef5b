// `cannula store backup` and `cannula store restore`.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/backup_json.h"
#include "engine/cli/finding_json.h"
#include "engine/cli/operated_site.h"
#include "engine/cli/progress_bar.h"
#include "engine/cli/sizes.h"
#include "engine/cli/verb.h"
#include "engine/ops/backups.h"
#include "engine/ops/text.h"
#include "engine/store/backup_check.h"
#include "engine/store/segment.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Does `act`, which prints, where it is known what the site's store is.
int with_site(const std::string& named, const Context& context,
              const std::function<int(const config::Site&)>& act) {
  const auto operated = OperatedSite::open(named, context);
  if (!operated) return kUsage;
  const auto known = operated->needs_store();
  return known ? act(operated->site()) : operated->fail(known.error());
}

json findings_json(const std::vector<Diagnostic>& findings) {
  json array = json::array();
  for (const Diagnostic& one : findings) array.emplace_back(finding_json(one));
  return array;
}

void warn(const Context& context, const std::string& text) {
  print(context.err, "warning: " + text + "\n");
}

void warn_of_what_was_mended(const store::BackupReport& report, const std::string& folder,
                             const Context& context) {
  for (const std::string& name : report.mended) {
    warn(context, fmt::format("{} in the backup was not as it had been written, and was copied "
                              "anew: see to the disk, and run `cannula store check {}`",
                              visible(name), visible(folder)));
  }
}

void warn_of_what_is_not_in_it(const ops::MadeBackup& made, const Context& context) {
  if (made.report.manifest.keys != 0) {
    warn(context, fmt::format("the backup is sealed; the master key ({}) is not in it: keep a copy "
                              "of that elsewhere, or nobody can ever read it",
                              visible(made.master_key)));
  }
  if (made.master_key_missing) {
    warn(context, fmt::format("the file of the master key is not there ({}): as things are, nobody "
                              "can read this backup, nor start the site",
                              visible(made.master_key)));
  }
  if (made.in_site) {
    warn(context, "the backup lies in the site's folder: what takes that takes both");
  } else if (made.same_disk) {
    warn(context, "the backup is on the same disk as the store: it does not survive that disk");
  }
  std::string names;
  for (const std::string& name : made.left_out) {
    if (name == "master.key") continue;
    names += (names.empty() ? "" : ", ") + visible(name);
  }
  if (!names.empty()) warn(context, "not taken, because they are not of the store: " + names);
  if (!made.audit_trouble.empty())
    warn(context, "the end of this act is not in the audit trail: " + made.audit_trouble);
}

fs::path folder_of(const std::string& argument) {
  const fs::path path = fs::absolute(argument).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

struct BackupArguments {
  std::string site, to;
};

int back_up(const BackupArguments& arguments, const Context& context) {
  return with_site(arguments.site, context, [&](const config::Site& site) -> int {
    const auto made = [&] {
      ProgressBar bar(context.err, "copying the store");
      return ops::back_up(site, folder_of(arguments.to), acting_user(),
                          [&](std::uint64_t done, std::uint64_t all) {
                            if (!context.json) bar.show(done, all);
                          });
    }();
    if (!made) {
      print_error(context, made.error());
      return kFailed;
    }
    const store::BackupReport& report = made->report;
    if (context.json) {
      json answer = backup_json(report.manifest);
      answer["running"] = made->running;
      answer["segments"] = report.segments;
      answer["files_copied"] = report.files_copied;
      answer["bytes_copied"] = report.bytes_copied;
      answer["records_read"] = report.records_read;
      answer["mended"] = report.mended;
      answer["left_out"] = made->left_out;
      answer["master_key"] = made->master_key;
      answer["master_key_missing"] = made->master_key_missing;
      answer["same_disk"] = made->same_disk;
      answer["in_site"] = made->in_site;
      answer["audit_trouble"] = made->audit_trouble;
      answer["findings"] = findings_json(report.damage);
      print(context.out, ops::dump(answer) + "\n");
    } else {
      print(context.err, render(report.damage));
      print(
          context.out,
          fmt::format("backup {} of {}: {} in {} files, of which {} in {} files were copied now\n",
                      report.manifest.number, visible(report.manifest.site),
                      size_text(report.manifest.bytes()), report.manifest.files.size(),
                      size_text(report.bytes_copied), report.files_copied));
      if (report.files_copied < report.manifest.files.size()) {
        print(context.out, fmt::format("the others were there already: `cannula store check {}` "
                                       "reads all of them back\n",
                                       visible(arguments.to)));
      }
      warn_of_what_was_mended(report, arguments.to, context);
      warn_of_what_is_not_in_it(*made, context);
    }
    return report.damage.empty() ? kFine : kFailed;
  });
}

struct RestoreArguments {
  std::string backup, site, keys;
  bool even_damaged = false;
  bool even_plain = false;
};

// What is not as it was, said before somebody starts the site.
std::string meaning(const store::BackupManifest& manifest) {
  return fmt::format(
      "The store is what it was at {}. When the site runs:\n"
      "- what was delivered since is delivered again, under the same keys;\n"
      "- what was acknowledged since is not there: its senders must send it again;\n"
      "- what people did since, such as pauses and holds, is to be done again;\n"
      "- sequence numbers stand where they stood: partners that count may have to begin anew;\n"
      "- the index is built anew at the first start.\n",
      visible(manifest.made));
}

int restore(const RestoreArguments& arguments, const Context& context) {
  return with_site(arguments.site, context, [&](const config::Site& site) -> int {
    const auto restored = [&] {
      ProgressBar bar(context.err, "copying the backup");
      return ops::restore(site,
                          {folder_of(arguments.backup), arguments.keys, arguments.even_damaged,
                           arguments.even_plain, acting_user()},
                          [&](std::uint64_t done, std::uint64_t all) {
                            if (!context.json) bar.show(done, all);
                          });
    }();
    if (!restored) {
      print_error(context, restored.error());
      return kFailed;
    }
    const store::RestoreReport& report = restored->report;
    std::vector<Diagnostic> findings = report.damage;
    findings.insert(findings.end(), restored->audit_findings.begin(),
                    restored->audit_findings.end());
    if (context.json) {
      json answer = backup_json(report.manifest);
      answer["to"] = site.store.directory.string();
      answer["segments"] = report.segments;
      answer["records"] = report.records;
      answer["audit_entries"] = restored->audit_entries;
      answer["keys_trouble"] = restored->keys_trouble;
      answer["can_start"] = restored->keys_trouble.empty();
      answer["findings"] = findings_json(findings);
      print(context.out, ops::dump(answer) + "\n");
    } else {
      print(context.err, render(findings));
      print(context.out,
            fmt::format("restored backup {} of {}: {} records in {} segments, {} audit entries, to "
                        "{}\n{}",
                        report.manifest.number, visible(report.manifest.site), report.records,
                        report.segments, restored->audit_entries,
                        visible(site.store.directory.string()), meaning(report.manifest)));
      if (report.manifest.keys != 0 && arguments.keys.empty()) {
        print(context.out,
              "- channels whose keys were shredded since can be read again: shred them again now, "
              "or restore with --keys.\n");
      }
      if (!restored->keys_trouble.empty())
        warn(context, "the site cannot start yet: " + restored->keys_trouble);
    }
    return has_errors(findings) || !restored->keys_trouble.empty() ? kFailed : kFine;
  });
}

}  // namespace

json backup_json(const store::BackupManifest& manifest) {
  return json{{"number", manifest.number},      {"site", manifest.site},
              {"made", manifest.made},          {"store", store::identity_text(manifest.identity)},
              {"begin", manifest.begin},        {"end", manifest.end},
              {"files", manifest.files.size()}, {"bytes", manifest.bytes()},
              {"sealed", manifest.keys != 0}};
}

Verb store_backup_verb() {
  auto options = std::make_shared<BackupArguments>();
  return {.name = "store backup",
          .summary =
              "Copy a site's store into a folder while the engine runs; again, only what is new.",
          .example =
              "cannula store backup my-site --to /mnt/backup/my-site\n"
              "cannula store check /mnt/backup/my-site",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.required_text(
                    "--to", "FOLDER", options->to,
                    "Where the backup is, or is to be: an empty folder, or that of the "
                    "backup before.");
              },
          .run = [options](const Context& context) { return back_up(*options, context); }};
}

Verb store_restore_verb() {
  auto options = std::make_shared<RestoreArguments>();
  return {.name = "store restore",
          .summary = "Put a backup back as the store of a site that has none.",
          .example = "cannula store restore /mnt/backup/my-site my-site",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("BACKUP", options->backup, "The folder of the backup.", true);
                arguments.positional("SITE", options->site,
                                     "The site's folder; its store must be absent or empty.");
                arguments.text("--keys", "FILE", options->keys,
                               "The file `keys` of the store as it was last, to take in place of "
                               "the backup's: what was shredded since stays so.");
                arguments.flag("--even-damaged", options->even_damaged,
                               "Also a damaged backup: all of it that can be read.");
                arguments.flag("--even-plain", options->even_plain,
                               "Also a backup without keys, of a store from before stores were "
                               "sealed: anybody can have written it.");
              },
          .run = [options](const Context& context) { return restore(*options, context); }};
}

}  // namespace cannula::cli
