#include "engine/store/backup.h"

#include <algorithm>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <xxhash.h>

#include "engine/security/keys/ring_file.h"
#include "engine/store/backup_check.h"
#include "engine/store/checked_file.h"
#include "engine/store/file_copy.h"
#include "engine/store/journal.h"
#include "engine/store/journal_shape.h"
#include "engine/store/store_files.h"
#include "parsers/text/terminal_text.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

constexpr int kMostTimes = 20;  // that what retention replaces meanwhile is copied again
constexpr int kMostReadings = 100;
constexpr std::uint64_t kMarkHead = 4u << 10;
constexpr std::uint64_t kMarkTail = 60u << 10;
constexpr std::uint64_t kReadingTurns = 24;  // backups in which each stored file is read whole once
constexpr const char* kKeys = "keys";
constexpr const char* kKeysTwin = "keys.copy";
constexpr const char* kJournal = "journal";

// A text as a file, for what was put together or read several times.
class TextFile final : public File {
 public:
  explicit TextFile(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t size) const override {
    if (offset >= text_.size()) return std::size_t{0};
    return text_.copy(into, size, static_cast<std::size_t>(offset));
  }
  Result<void> write(std::uint64_t, std::string_view) override { return only_read(); }
  Result<void> sync() override { return only_read(); }
  Result<void> truncate(std::uint64_t) override { return only_read(); }
  Result<std::uint64_t> size() const override { return static_cast<std::uint64_t>(text_.size()); }

 private:
  static Error only_read() { return Error{"J104", "it is only read", ""}; }
  const std::string text_;
};

// Of the whole file, or of both ends of one that is only appended to or written at once: a segment
// begins with its own checksum and ends with checksums of its last records or of its table.
Result<std::string> mark_of(const File& file, std::uint64_t size, bool of_ends) {
  const bool all = !of_ends || size <= kMarkHead + kMarkTail;
  std::string bytes(static_cast<std::size_t>(all ? size : kMarkHead), '\0');
  bytes.resize(TRY(file.read(0, bytes.data(), bytes.size())));
  if (!all) {
    std::string tail(static_cast<std::size_t>(kMarkTail), '\0');
    tail.resize(TRY(file.read(size - kMarkTail, tail.data(), tail.size())));
    bytes += tail;
  }
  return identity_text(XXH3_64bits(bytes.data(), bytes.size()));
}

// Where the last whole line ends.
Result<std::uint64_t> end_of_lines(const File& file) {
  std::uint64_t end = TRY(file.size());
  std::string part(4096, '\0');
  while (end > 0) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), end));
    const std::size_t count = TRY(file.read(end - size, part.data(), size));
    const std::size_t line = std::string_view(part.data(), count).rfind('\n');
    if (line != std::string_view::npos) return end - size + line + 1;
    end -= size;
  }
  return std::uint64_t{0};
}

bool is_there(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Error not_usable(const fs::path& folder, std::string_view why, std::string hint) {
  return Error{"J114", fmt::format("{} {}", folder.string(), why), std::move(hint)};
}

// One run of back_up().
class BackupRun {
 public:
  explicit BackupRun(const BackupOptions& options)
      : options_(options),
        store_files_(options.store_files ? *options.store_files : FileSystem::real()),
        files_(options.folder_files ? *options.folder_files : FileSystem::real()),
        folder_(options.folder) {}

  Result<BackupReport> run();

 private:
  // A file of the store, open.
  struct Source {
    std::string path;
    std::unique_ptr<File> file;
    std::uint64_t size = 0;
    std::string mark;
    bool of_ends = false;  // the mark is
  };

  Result<void> prepare();
  Result<void> judge() const;
  Result<void> copy_all();
  Result<void> copy_journal();
  Result<void> copy_journal_once();
  Result<void> copy_keys();
  Result<void> copy_beside(const SideFile& side);
  Result<void> copy_lines(const std::string& path, bool of_ends);
  Result<void> copy_steady(const std::string& path);
  Result<void> take_text(const std::string& path, std::string text);
  Result<std::string> ring_text_on_disk();

  Result<Source> open_source(const std::string& path, std::uint64_t limit);
  Result<void> take(std::vector<Source> sources);
  const BackupFile* known(const Source& source);
  bool is_as_written(const BackupFile& file, bool of_ends);
  Result<BackupFile> copy(const Source& source);
  Result<void> sync_names();
  void remove_what_no_manifest_names(const BackupManifest* standing);
  std::set<std::string> folders() const;

  const BackupOptions& options_;
  FileSystem& store_files_;
  FileSystem& files_;
  const fs::path folder_;
  std::unique_ptr<FileLock> lock_;
  std::optional<BackupManifest> earlier_;
  BackupManifest manifest_;
  std::vector<BackupFile> copied_;  // by this run, also what was replaced since
  std::set<std::string> read_;      // paths whose stored file this run has read whole
  BackupReport report_;
  std::uint64_t to_copy_ = 0;  // bytes, as far as is known
};

Result<BackupReport> BackupRun::run() {
  TRY(prepare());
  if (auto copied = copy_all(); !copied) {
    Error error = std::move(copied).error();
    if (error.code == "J114") return error;  // the folder is not ours, or there is no store
    remove_what_no_manifest_names(earlier_ ? &*earlier_ : nullptr);
    if (error.code == "J103") error.hint = "free space there and make the backup again";
    return error;
  }
  if (auto saved = manifest_.save(files_, folder_); !saved) {
    // Either manifest may be the one that is there after a crash: the files of both stay.
    return std::move(saved).error();
  }
  remove_what_no_manifest_names(&manifest_);
  report_.manifest = std::move(manifest_);
  return std::move(report_);
}

Result<void> BackupRun::prepare() {
  if (lies_in(folder_, options_.store) || lies_in(options_.store, folder_)) {
    return not_usable(folder_, "and the store's folder lie one in the other",
                      "a backup belongs on another disk: name a folder there");
  }
  if (!files_.list(folder_)) {
    // Where a disk is not mounted, all that is above the folder could be made as well, and the
    // backup would lie on the disk that it is to survive.
    if (const auto made = files_.make_directory(folder_); !made) {
      if (made.error().code == "J103") return made;
      return not_usable(folder_, "is no folder, and cannot be made one: " + made.error().message,
                        "name a folder; the one that it is to be made in must be there already, so "
                        "see that its disk is mounted");
    }
  }
  lock_ = TRY(hold_backup(files_, folder_));
  earlier_ = TRY(BackupManifest::load(files_, folder_));
  TRY(judge());
  manifest_.number = earlier_ ? earlier_->number + 1 : 1;
  manifest_.site = options_.site;
  manifest_.made = backup_time();
  return {};
}

// Whether the folder is one for backups. Nothing was touched yet.
Result<void> BackupRun::judge() const {
  const auto in_the_way = [&](const std::string& name) {
    return not_usable(folder_, fmt::format("is no backup, and has {} in it", visible(name)),
                      "make a folder in it and name that, or name an empty one");
  };
  const std::set<std::string> ours = folders();
  for (const std::string& name : TRY(files_.list(folder_))) {
    if (ours.contains(name)) {
      if (!files_.is_directory(folder_ / name)) {
        return not_usable(folder_, fmt::format("has {} in it, which is no folder", name),
                          "nothing is written through a link: take it away");
      }
      if (earlier_) continue;
      for (const std::string& inner : TRY(files_.list(folder_ / name))) {
        const std::string stored = name + "/" + inner;
        if (!path_of_stored_name(stored)) return in_the_way(stored);
      }
    } else if (!earlier_ && name != "manifest.new" && !path_of_stored_name(name)) {
      return in_the_way(name);
    }
  }
  return {};
}

Result<void> BackupRun::copy_all() {
  TRY(copy_journal());
  // Each key is on disk before the first record that it seals: so this ring has all that the
  // records copied before need.
  TRY(copy_keys());
  for (const SideFile& side : options_.beside) TRY(copy_beside(side));
  TRY(sync_names());
  const auto is_new = [&](const std::string& path) {
    const BackupFile* file = manifest_.find(path);
    return file && file->number == manifest_.number;
  };
  const BackupJournal read =
      TRY(read_journal_of_backup(files_, folder_, manifest_, is_new, report_.damage));
  report_.segments = read.segments;
  report_.records_read = read.records;
  return {};
}

// Retention may replace and remove segments meanwhile. What is open goes on being readable; but the
// files together are a journal only if all are of one state of it.
Result<void> BackupRun::copy_journal() {
  const fs::path directory = journal_directory(options_.store);
  for (int time = 0; time < kMostTimes; ++time) {
    const std::string before = TRY(shape_of_journal(directory, store_files_));
    manifest_.files.clear();
    auto done = copy_journal_once();
    if (TRY(shape_of_journal(directory, store_files_)) == before) return done;
    if (!done && done.error().code == "J103") return done;
  }
  return Error{"J207", "retention was at work each time that the store was read",
               "make the backup again when it has ended; the one before is as it was"};
}

Result<void> BackupRun::copy_journal_once() {
  const fs::path directory = journal_directory(options_.store);
  // Asked for behind the shape: so the ledgers that `pruned` names stand before it.
  const Position end = TRY(options_.end());
  Recovery known_to_check;  // is found again in the copy
  const auto journal = TRY(Journal::open_to_read(directory, store_files_, end, known_to_check));
  const auto segments = journal->segments();
  if (segments.empty()) {
    return Error{"J114", fmt::format("there is no store in {}", options_.store.string()),
                 "it is made when the site runs for the first time"};
  }
  if (earlier_ && earlier_->identity != journal->identity()) {
    return not_usable(
        folder_,
        fmt::format("has a backup of store {}; this one is {}", identity_text(earlier_->identity),
                    identity_text(journal->identity())),
        "name another folder: each store has one of its own");
  }
  manifest_.identity = journal->identity();
  manifest_.begin = journal->begin();
  manifest_.end = journal->end();
  manifest_.keys = 0;
  std::vector<Source> sources;
  for (const Journal::SegmentFile& segment : segments) {
    if (segment.header.keys != 0) manifest_.keys = segment.header.keys;
    const std::string path = (fs::path(kJournal) / segment.path.filename()).generic_string();
    sources.push_back(TRY(open_source(path, segment.size)));
    if (sources.size() < 256) continue;  // files that are open at once
    TRY(take(std::exchange(sources, {})));
  }
  TRY(take(std::move(sources)));
  if (is_there(TRY(store_files_.list(directory)), "pruned")) {
    TRY(copy_steady(std::string(kJournal) + "/pruned"));
  }
  return {};
}

Result<std::string> BackupRun::ring_text_on_disk() {
  const std::vector<std::string> names = TRY(store_files_.list(options_.store));
  for (const char* name : {kKeys, kKeysTwin}) {
    if (!is_there(names, name)) continue;
    std::string text = TRY(read_all(store_files_, options_.store / name));
    const auto ring = security::RingFile::parse(text);
    if (!ring) continue;
    if (manifest_.keys != 0 && ring->id != manifest_.keys) {
      return Error{
          "J112",
          fmt::format("the segments are sealed with the keys {}; the file {} holds {}",
                      security::ring_text(manifest_.keys), name, security::ring_text(ring->id)),
          "put the file `keys` of this store back from a backup"};
    }
    return text;
  }
  if (manifest_.keys == 0) return std::string();
  return Error{"K105",
               fmt::format("the store is sealed, and neither {} nor {} in {} can be read as a file "
                           "of keys",
                           kKeys, kKeysTwin, options_.store.string()),
               "put the file back from the backup before, which is as it was: without it a backup "
               "could not be read by anybody"};
}

Result<void> BackupRun::copy_keys() {
  std::string text = TRY(ring_text_on_disk());
  if (text.empty()) return {};
  return take_text(kKeys, std::move(text));
}

Result<void> BackupRun::take_text(const std::string& path, std::string text) {
  const std::uint64_t size = text.size();
  Source source{path, std::make_unique<TextFile>(std::move(text)), size, {}};
  source.mark = TRY(mark_of(*source.file, source.size, false));
  std::vector<Source> sources;
  sources.push_back(std::move(source));
  return take(std::move(sources));
}

Result<void> BackupRun::copy_beside(const SideFile& side) {
  const fs::path path = options_.store / side.path;
  if (side.kind == SideFile::Kind::folder) {
    auto names = store_files_.list(path);
    if (!names) return {};  // there is none yet
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      const std::string inner = side.path + "/" + name;
      if (name.ends_with(side.suffix) && may_be_in_backup(inner)) TRY(copy_lines(inner, true));
    }
    return {};
  }
  if (!is_there(TRY(store_files_.list(options_.store)), side.path)) return {};
  return side.kind == SideFile::Kind::steady ? copy_steady(side.path)
                                             : copy_lines(side.path, false);
}

Result<void> BackupRun::copy_lines(const std::string& path, bool of_ends) {
  Source source{path,
                TRY(store_files_.open(options_.store / path, FileSystem::Access::read)),
                0,
                {},
                of_ends};
  source.size = TRY(end_of_lines(*source.file));
  source.mark = TRY(mark_of(*source.file, source.size, of_ends));
  std::vector<Source> sources;
  sources.push_back(std::move(source));
  return take(std::move(sources));
}

Result<void> BackupRun::copy_steady(const std::string& path) {
  std::string text = TRY(read_all(store_files_, options_.store / path));
  for (int time = 0; time < kMostReadings; ++time) {
    std::string again = TRY(read_all(store_files_, options_.store / path));
    if (again == std::exchange(text, again)) return take_text(path, std::move(text));
  }
  return Error{"J207",
               fmt::format("{} was another each of the {} times that it was read",
                           (options_.store / path).string(), kMostReadings),
               "make the backup again when less goes on; the one before is as it was"};
}

// Of a segment's file only what counts is taken: behind it stand zeros, or what is being written.
Result<BackupRun::Source> BackupRun::open_source(const std::string& path, std::uint64_t limit) {
  auto file = TRY(store_files_.open(options_.store / path, FileSystem::Access::read));
  Source source{path, std::move(file), 0, {}, true};
  source.size = std::min(limit, TRY(source.file->size()));
  source.mark = TRY(mark_of(*source.file, source.size, true));
  return source;
}

// What the backup before, or an earlier round of this run, has of it unchanged.
const BackupFile* BackupRun::known(const Source& source) {
  const auto is_of = [&](const BackupFile& file) {
    return file.path == source.path && file.size == source.size && file.mark == source.mark;
  };
  const auto copied = std::find_if(copied_.begin(), copied_.end(), is_of);
  if (copied != copied_.end()) return &*copied;
  const BackupFile* file = earlier_ ? earlier_->find(source.path) : nullptr;
  if (!file || !is_of(*file)) return nullptr;
  if (is_as_written(*file, source.of_ends)) return file;
  report_.mended.push_back(file->stored_name());
  return nullptr;
}

// Of a long file both ends are compared, and all of it when it is its turn: a disk that flips a bit
// in the middle is found out without reading everything each time.
bool BackupRun::is_as_written(const BackupFile& file, bool of_ends) {
  const auto stored = files_.open_plain(folder_ / file.stored_name());
  if (!stored) return false;
  const auto size = (*stored)->size();
  if (!size || *size != file.size) return false;
  const auto mark = mark_of(**stored, file.size, of_ends);
  if (!mark || *mark != file.mark) return false;
  const std::uint64_t turn = XXH3_64bits(file.path.data(), file.path.size());
  if (turn % kReadingTurns != manifest_.number % kReadingTurns) return true;
  if (read_.contains(file.path)) return true;
  const auto rest = [this](std::uint64_t, std::chrono::nanoseconds took) {
    if (options_.rest > 0) std::this_thread::sleep_for(took * options_.rest);
  };
  const auto checksum = checksum_of(**stored, file.size, rest);
  if (!checksum || *checksum != file.checksum) return false;
  read_.insert(file.path);
  return true;
}

Result<void> BackupRun::take(std::vector<Source> sources) {
  std::vector<const Source*> to_copy;
  for (const Source& source : sources) {
    if (const BackupFile* file = known(source)) {
      manifest_.files.push_back(*file);
      continue;
    }
    to_copy.push_back(&source);
    to_copy_ += source.size;
  }
  for (const Source* source : to_copy) manifest_.files.push_back(TRY(copy(*source)));
  return {};
}

Result<BackupFile> BackupRun::copy(const Source& source) {
  BackupFile file{source.path, manifest_.number, source.size, {}, source.mark};
  const fs::path to = folder_ / file.stored_name();
  if (to.parent_path() != folder_) TRY(files_.make_directory(to.parent_path()));
  // Of a run that was ended, or of an earlier round of this one.
  static_cast<void>(files_.remove(to).has_value());
  std::erase_if(copied_, [&](const BackupFile& one) { return one.path == file.path; });
  const auto after_piece = [&](std::uint64_t bytes, std::chrono::nanoseconds took) {
    report_.bytes_copied += bytes;
    if (options_.on_progress) options_.on_progress(report_.bytes_copied, to_copy_);
    if (options_.rest > 0) std::this_thread::sleep_for(took * options_.rest);
  };
  file.checksum = TRY(copy_file(*source.file, source.size, files_, to, after_piece));
  ++report_.files_copied;
  copied_.push_back(file);
  return file;
}

std::set<std::string> BackupRun::folders() const {
  std::set<std::string> names{kJournal};
  for (const SideFile& side : options_.beside) {
    if (side.kind == SideFile::Kind::folder) names.insert(side.path);
  }
  return names;
}

Result<void> BackupRun::sync_names() {
  std::set<fs::path> with_files;
  for (const BackupFile& file : manifest_.files) {
    with_files.insert((folder_ / file.path).parent_path());
  }
  with_files.insert(folder_);
  for (auto one = with_files.rbegin(); one != with_files.rend(); ++one) {
    TRY(files_.sync_directory(*one));
  }
  return {};
}

// Files of the backup before, or of a run that was ended. What cannot be removed now goes next
// time.
void BackupRun::remove_what_no_manifest_names(const BackupManifest* standing) {
  std::set<std::string> named;
  if (standing) {
    for (const BackupFile& file : standing->files) named.insert(file.stored_name());
  }
  std::set<std::string> places = folders();
  places.insert("");
  for (const std::string& place : places) {
    if (!place.empty() && !files_.is_directory(folder_ / place)) continue;
    const auto names = files_.list(folder_ / place);
    if (!names) continue;
    for (const std::string& name : *names) {
      const std::string stored = place.empty() ? name : place + "/" + name;
      const auto path = path_of_stored_name(stored);
      if (!path || named.contains(stored)) continue;
      // A key that was shredded must not stay on the disk.
      const auto gone =
          *path == kKeys ? files_.destroy(folder_ / stored) : files_.remove(folder_ / stored);
      static_cast<void>(gone.has_value());
    }
  }
}

}  // namespace

bool lies_in(const fs::path& inner, const fs::path& outer) {
  std::error_code ignored;
  const auto plain = [&](const fs::path& path) {
    const fs::path whole = fs::weakly_canonical(path, ignored);
    return whole.has_filename() ? whole : whole.parent_path();
  };
  const fs::path in = plain(inner), out = plain(outer);
  const auto [at, rest] = std::mismatch(out.begin(), out.end(), in.begin(), in.end());
  return at == out.end();
}

Result<BackupReport> back_up(const BackupOptions& options) {
  return BackupRun(options).run();
}

Result<Position> end_at_rest(const fs::path& directory, FileSystem* file_system) {
  FileSystem& files = file_system ? *file_system : FileSystem::real();
  const auto lock = TRY(files.lock(lock_path(directory)));
  Recovery ignored;
  const auto journal = TRY(Journal::open_to_read(journal_directory(directory), files, 0, ignored));
  return journal->end();
}

}  // namespace cannula::store
