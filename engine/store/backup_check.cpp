#include "engine/store/backup_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/store/backup_view.h"
#include "engine/store/file_copy.h"
#include "engine/store/journal.h"
#include "engine/store/segment_reader.h"
#include "engine/store/store_files.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

Diagnostic finding_in(std::string_view what, Error error) {
  error.message.insert(0, what);
  return finding_of(error);
}

// Why a file is not what was written; nothing when it is.
std::optional<Error> damage_of(FileSystem& files, const fs::path& folder, const BackupFile& file,
                               const AfterPiece& after_piece) {
  const auto look = [&]() -> Result<std::string> {
    const auto stored = TRY(files.open_plain(folder / file.stored_name()));
    const std::uint64_t size = TRY(stored->size());
    if (size != file.size) return fmt::format("it has {} bytes, not {}", size, file.size);
    if (TRY(checksum_of(*stored, size, after_piece)) == file.checksum) return std::string();
    return std::string("its checksum is not that in the manifest");
  };
  const auto why = look();
  if (why && why->empty()) return std::nullopt;
  return not_as_written(folder, file, why ? *why : why.error().message);
}

}  // namespace

Result<BackupJournal> read_journal_of_backup(
    FileSystem& files, const fs::path& folder, const BackupManifest& manifest,
    const std::function<bool(const std::string& path)>& wanted, std::vector<Diagnostic>& damage) {
  BackupView view(files, folder, manifest);
  Recovery found;
  const auto journal =
      TRY(Journal::open_to_read(journal_directory(folder), view, manifest.end, found));
  BackupJournal read;
  const auto count = [&](const Frame& frame) -> Result<bool> {
    if (static_cast<RecordType>(frame.header.type) != RecordType::closed) ++read.records;
    return true;
  };
  for (const Journal::SegmentFile& segment : journal->segments()) {
    ++read.segments;
    if (!wanted(segment.path.lexically_relative(folder).generic_string())) continue;
    TRY(journal->scan(segment.header.base, segment.end, count, &found.damage));
  }
  for (const Pruned::LedgerPlace& ledger : journal->pruned().ledgers) {
    std::string buffer;
    if (const auto frame = journal->read(ledger.position, buffer); !frame) {
      const auto what = fmt::format("the ledger of channel {}: ", ledger.channel);
      found.damage.push_back(finding_in(what, frame.error()));
    }
  }
  damage.insert(damage.end(), found.damage.begin(), found.damage.end());
  return read;
}

bool is_backup(const fs::path& folder, FileSystem* file_system) {
  FileSystem& files = file_system ? *file_system : FileSystem::real();
  const auto names = files.list(folder);
  return names && std::find(names->begin(), names->end(), "manifest") != names->end();
}

bool is_begun_backup(const fs::path& folder, FileSystem* file_system) {
  FileSystem& files = file_system ? *file_system : FileSystem::real();
  for (const std::string place : {"", "journal/"}) {
    const auto names = files.list(folder / place);
    if (!names) continue;
    for (const std::string& name : *names) {
      if (path_of_stored_name(place + name)) return true;
    }
  }
  return false;
}

Result<std::unique_ptr<FileLock>> hold_backup(FileSystem& files, const fs::path& folder) {
  auto lock = files.lock_directory(folder);
  if (lock) return *std::move(lock);
  if (lock.error().code != "J101") return std::unique_ptr<FileLock>();
  return Error{"J117", fmt::format("another process works with the backup in {}", folder.string()),
               "wait until that has ended"};
}

Result<BackupManifest> manifest_of_backup(FileSystem& files, const fs::path& folder) {
  if (is_backup(folder, &files)) {
    if (auto manifest = TRY(BackupManifest::load(files, folder))) return *std::move(manifest);
  }
  return Error{"J209", fmt::format("there is no backup in {}: no manifest", folder.string()),
               "name the folder that `cannula store backup` was given; without its manifest a "
               "first backup that was ended before its end is none"};
}

Result<BackupCheck> check_backup(
    const fs::path& folder, FileSystem* file_system,
    const std::function<void(std::uint64_t done, std::uint64_t all)>& on_progress) {
  FileSystem& files = file_system ? *file_system : FileSystem::real();
  static_cast<void>(TRY(manifest_of_backup(files, folder)));
  const auto lock = TRY(hold_backup(files, folder));
  BackupCheck check;
  check.manifest = TRY(manifest_of_backup(files, folder));
  const std::uint64_t all = check.manifest.bytes();
  std::uint64_t done = 0;
  const auto after_piece = [&](std::uint64_t bytes, std::chrono::nanoseconds) {
    done += bytes;
    if (on_progress) on_progress(done, all);
  };
  for (const BackupFile& file : check.manifest.files) {
    if (const auto error = damage_of(files, folder, file, after_piece))
      check.damage.push_back(finding_of(*error));
  }
  const auto every = [](const std::string&) { return true; };
  const auto read = read_journal_of_backup(files, folder, check.manifest, every, check.damage);
  if (read) {
    check.segments = read->segments;
    check.records = read->records;
  } else {
    check.damage.push_back(finding_in("the journal cannot be read: ", read.error()));
  }
  return check;
}

}  // namespace cannula::store
