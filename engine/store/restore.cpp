#include "engine/store/restore.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "engine/security/keys/ring_file.h"
#include "engine/store/backup_check.h"
#include "engine/store/file_copy.h"
#include "engine/store/journal.h"
#include "engine/store/store_files.h"
#include "parsers/text/terminal_text.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = "restore-unfinished";
constexpr const char* kKeys = "keys";
constexpr const char* kKeysTwin = "keys.copy";
constexpr const char* kFolders[] = {"journal", "audit"};
// What a restore, and the entry of it in the trail, writes beside the files of the backup.
constexpr std::string_view kBeside[] = {kKeysTwin, "keys.lock", "audit-configuration"};

// One run of restore().
class RestoreRun {
 public:
  explicit RestoreRun(const RestoreOptions& options)
      : options_(options),
        backup_files_(options.backup_files ? *options.backup_files : FileSystem::real()),
        files_(options.store_files ? *options.store_files : FileSystem::real()) {}

  Result<RestoreReport> run();

 private:
  Result<void> judge_keys() const;
  Result<void> has_keys() const;
  Result<bool> is_unfinished() const;
  Result<void> nothing_is_there() const;
  bool is_ours(const std::string& name) const;
  Result<void> put_back();
  Result<void> put_file(const BackupFile& file);
  Result<void> put_text(const std::string& name, const std::string& text);
  Result<void> sync_names();
  Result<void> read_it();
  Result<void> clear();

  const RestoreOptions& options_;
  FileSystem& backup_files_;
  FileSystem& files_;
  RestoreReport report_;
  std::uint64_t done_ = 0;
};

Result<RestoreReport> RestoreRun::run() {
  static_cast<void>(TRY(manifest_of_backup(backup_files_, options_.backup)));
  const auto backup_lock = TRY(hold_backup(backup_files_, options_.backup));
  report_.manifest = TRY(manifest_of_backup(backup_files_, options_.backup));
  TRY(judge_keys());
  TRY(has_keys());
  // Once before anything is touched, and again when nobody else can put something there.
  if (files_.list(options_.store) && !TRY(is_unfinished())) TRY(nothing_is_there());
  TRY(files_.make_directories(options_.store));
  // So that no engine is started on it meanwhile, nor another restore.
  const auto lock = TRY(files_.lock(lock_path(options_.store)));
  if (TRY(is_unfinished())) TRY(clear());
  TRY(nothing_is_there());
  auto done = put_back();
  if (done) done = read_it();
  if (done && options_.before_it_counts) done = options_.before_it_counts();
  if (!done) {
    // While anything may be left of it the mark stays, and nobody opens it.
    if (clear()) static_cast<void>(files_.remove(options_.store / kMark).has_value());
    return std::move(done).error();
  }
  TRY(files_.remove(options_.store / kMark));
  TRY(files_.sync_directory(options_.store));
  return std::move(report_);
}

Result<void> RestoreRun::judge_keys() const {
  if (!options_.keys) return {};
  const auto ring = security::RingFile::parse(*options_.keys);
  if (!ring) {
    return Error{"K105", "the file of keys that was given cannot be read as one",
                 "give the file `keys`, or `keys.copy`, of the store as it was last"};
  }
  if (ring->id == report_.manifest.keys) return {};
  return Error{
      "J112",
      fmt::format("the backup is sealed with the keys {}; the file that was given holds {}",
                  security::ring_text(report_.manifest.keys), security::ring_text(ring->id)),
      "give the file `keys` of the same store"};
}

Result<void> RestoreRun::has_keys() const {
  if (options_.even_plain || options_.keys || report_.manifest.find(kKeys)) return {};
  return Error{"K118",
               fmt::format("the backup in {} has no keys: anybody can have written what is in it",
                           options_.backup.string()),
               "look for a backup of this store that has the file `keys`. Only if you know that "
               "this one was made before stores were sealed: --even-plain; nothing was restored"};
}

Result<bool> RestoreRun::is_unfinished() const {
  const auto names = TRY(files_.list(options_.store));
  return std::find(names.begin(), names.end(), kMark) != names.end();
}

// What a restore leaves alone.
bool RestoreRun::is_ours(const std::string& name) const {
  const auto& allowed = options_.may_be_there;
  return name == lock_path("").string() || name == kMark ||
         std::find(allowed.begin(), allowed.end(), name) != allowed.end();
}

Result<void> RestoreRun::nothing_is_there() const {
  std::vector<std::string> names = TRY(files_.list(options_.store));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (is_ours(name)) continue;
    return Error{
        "J115",
        fmt::format("{} is not empty: it has {} in it", options_.store.string(), visible(name)),
        "move what is there aside, or name another site; nothing is ever overwritten"};
  }
  return {};
}

// All but the mark, which goes last. The folder was empty before the first restore into it began,
// so what has a name that restores give came from one, maybe of another backup. Anything else was
// put there since, by somebody.
Result<void> RestoreRun::clear() {
  for (const std::string folder : kFolders) {
    const fs::path path = options_.store / folder;
    if (!files_.is_directory(path)) continue;
    const auto names = TRY(files_.list(path));
    for (const std::string& name : names) {
      if (may_be_in_backup(folder + "/" + name)) TRY(files_.remove(path / name));
    }
    if (!names.empty()) TRY(files_.sync_directory(path));
    static_cast<void>(files_.remove(path).has_value());  // stays when something is left in it
  }
  for (const std::string& name : TRY(files_.list(options_.store))) {
    const bool beside =
        std::find(std::begin(kBeside), std::end(kBeside), name) != std::end(kBeside);
    if (beside || may_be_in_backup(name)) TRY(files_.remove(options_.store / name));
  }
  return files_.sync_directory(options_.store);
}

Result<void> RestoreRun::put_back() {
  if (!TRY(is_unfinished())) {
    const auto mark = TRY(files_.open(options_.store / kMark, FileSystem::Access::create));
    TRY(mark->sync());
  }
  TRY(files_.sync_directory(options_.store));
  for (const BackupFile& file : report_.manifest.files) {
    if (file.path == kKeys && options_.keys) continue;
    TRY(put_file(file));
  }
  if (options_.keys) TRY(put_text(kKeys, *options_.keys));
  if (report_.manifest.keys != 0 || report_.manifest.find(kKeys)) {
    const auto keys = TRY(files_.open(options_.store / kKeys, FileSystem::Access::read));
    TRY(copy_file(*keys, TRY(keys->size()), files_, options_.store / kKeysTwin, nullptr));
  }
  return sync_names();
}

Result<void> RestoreRun::put_file(const BackupFile& file) {
  const fs::path to = options_.store / file.path;
  if (to.parent_path() != options_.store) TRY(files_.make_directory(to.parent_path()));
  const bool must_be_whole = file.path == kKeys || file.path == "journal/pruned";
  const auto damaged = [&](std::string_view why) -> Result<void> {
    Error error = not_as_written(options_.backup, file, why);
    if (must_be_whole || !options_.even_damaged) return error;
    report_.damage.push_back(finding_of(error));
    return {};
  };
  const auto stored = backup_files_.open_plain(options_.backup / file.stored_name());
  if (!stored) return damaged(stored.error().message);
  const std::uint64_t size = TRY((*stored)->size());
  const auto after_piece = [&](std::uint64_t bytes, std::chrono::nanoseconds) {
    done_ += bytes;
    if (options_.on_progress) options_.on_progress(done_, report_.manifest.bytes());
  };
  const std::string checksum =
      TRY(copy_file(**stored, std::min(size, file.size), files_, to, after_piece));
  if (size != file.size) return damaged(fmt::format("it has {} bytes, not {}", size, file.size));
  if (checksum != file.checksum) return damaged("its checksum is not that in the manifest");
  return {};
}

Result<void> RestoreRun::put_text(const std::string& name, const std::string& text) {
  const auto file = TRY(files_.open(options_.store / name, FileSystem::Access::create));
  TRY(file->write(0, text));
  return file->sync();
}

Result<void> RestoreRun::sync_names() {
  std::set<fs::path> folders{options_.store};
  for (const BackupFile& file : report_.manifest.files) {
    folders.insert((options_.store / file.path).parent_path());
  }
  for (auto one = folders.rbegin(); one != folders.rend(); ++one) TRY(files_.sync_directory(*one));
  return {};
}

// Reads each record of what is now a journal.
Result<void> RestoreRun::read_it() {
  Recovery found;
  const auto journal =
      TRY(Journal::open_to_read(journal_directory(options_.store), files_, 0, found));
  const auto count = [&](const Frame& frame) -> Result<bool> {
    if (static_cast<RecordType>(frame.header.type) != RecordType::closed) ++report_.records;
    return true;
  };
  TRY(journal->scan(journal->begin(), journal->end(), count, &found.damage));
  report_.segments = journal->segments().size();
  if (journal->end() < report_.manifest.end) {
    Diagnostic finding;
    finding.code = "J201";
    finding.message = fmt::format("the journal ends at position {}; the backup was made up to {}",
                                  journal->end(), report_.manifest.end);
    finding.hint = "what stood there is lost unless another backup has it";
    found.damage.push_back(std::move(finding));
  }
  report_.damage.insert(report_.damage.end(), found.damage.begin(), found.damage.end());
  return {};
}

}  // namespace

Result<RestoreReport> restore(const RestoreOptions& options) {
  return RestoreRun(options).run();
}

Result<void> no_restore_is_unfinished(FileSystem& files, const fs::path& directory) {
  const auto names = files.list(directory);
  if (!names || std::find(names->begin(), names->end(), kMark) == names->end()) return {};
  return Error{"J116",
               fmt::format("{} holds a part of a backup: a restore was ended before its end",
                           directory.string()),
               "run `cannula store restore` again: it begins anew"};
}

}  // namespace cannula::store
