#include "engine/security/audit/log.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pthread.h>

#include "channels/transport/wall_clock.h"

namespace cannula::audit {
namespace {

constexpr std::size_t kMostNoted = 1000;
constexpr std::uint64_t kAnchorEvery = 1000;               // entries
constexpr std::int64_t kAnchorAfter = 3600LL * 1'000'000;  // microseconds
constexpr std::size_t kLongestLine = 256u << 10;
constexpr std::size_t kHeadSize = 255;  // less than a sector: written whole or not at all
constexpr const char* kJournalStands = "journal.stands";
constexpr auto kLookEvery = std::chrono::seconds(1);

std::string file_name(std::uint64_t first) {
  return fmt::format("{:012}.log", first);
}

bool is_file_name(const std::string& name) {
  return name.size() == 16 && name.ends_with(".log") &&
         std::all_of(name.begin(), name.begin() + 12, [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::string> read_from(const store::File& file, std::uint64_t offset, std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size - offset), '\0');
  bytes.resize(TRY(file.read(offset, bytes.data(), bytes.size())));
  return bytes;
}

}  // namespace

std::filesystem::path head_file(const std::filesystem::path& directory) {
  return directory.parent_path() / (directory.filename().string() + "-head.json");
}

std::string head_text(const Head& head, const Sealer& sealer) {
  std::string text = fmt::format("{{\"seq\":{},\"mac\":\"{}\",\"key\":\"{}\"", head.sequence,
                                 head.mac, sealer.key_id());
  text += fmt::format(",\"seal\":\"{}\"}}", sealer.mac(text));
  text.resize(kHeadSize, ' ');
  return text + "\n";
}

std::optional<RememberedHead> read_head(const std::filesystem::path& directory,
                                        store::FileSystem& files, const Sealer& sealer) {
  auto file = files.open(head_file(directory), store::FileSystem::Access::read);
  if (!file) return std::nullopt;
  auto text = read_from(**file, 0, kHeadSize);
  if (!text) return std::nullopt;
  const auto value = nlohmann::json::parse(*text, nullptr, false);
  RememberedHead remembered;
  if (!value.is_object()) return remembered;
  const auto sequence = value.find("seq"), mac = value.find("mac");
  if (sequence == value.end() || !sequence->is_number_unsigned() || mac == value.end() ||
      !mac->is_string()) {
    return remembered;
  }
  remembered.head = {sequence->get<std::uint64_t>(), mac->get<std::string>()};
  const auto key = value.find("key");
  if (key != value.end() && key->is_string()) {
    remembered.key_id = key->get<std::string>();
    remembered.other_key = remembered.key_id != sealer.key_id();
  }
  remembered.genuine =
      head_text(remembered.head, sealer).substr(0, text->size()) == text->substr(0, kHeadSize);
  return remembered;
}

std::vector<std::string> trail_files(const std::filesystem::path& directory,
                                     store::FileSystem& files) {
  auto names = files.list(directory);
  if (!names) return {};
  std::erase_if(*names, [](const std::string& name) { return !is_file_name(name); });
  std::sort(names->begin(), names->end());
  return *names;
}

Log::Log(Options options)
    : options_(std::move(options)),
      files_(options_.file_system ? *options_.file_system : store::FileSystem::real()),
      sealer_(options_.key),
      told_at_(now_microseconds()) {
  if (options_.journal) told_ = options_.journal();  // its start is entered by who opens the log
  const auto opened = open();
  opened_ = opened.has_value();
  if (!opened_) in_trouble(opened.error());
  thread_ = std::thread([this] { run(); });
}

Log::~Log() {
  close();
}

// Finds where the trail ends. What does not fit (a tail that was cut off, a last line that someone
// changed) is left as it is for `audit verify`: the trail goes on behind the head it remembers, in
// a file of its own, and says so.
Result<void> Log::open() {
  TRY(files_.make_directories(options_.directory));
  const auto names = trail_files(options_.directory, files_);
  const auto remembered = read_head(options_.directory, files_, sealer_);
  Tail tail;
  for (auto name = names.rbegin(); name != names.rend() && !tail.lines; ++name) {
    tail = TRY(read_tail(options_.directory / *name, std::stoull(*name)));
  }
  path_ = tail.path;
  size_ = tail.size;
  cut_ = tail.torn;  // a line without an end was never answered for: its writer was killed
  std::string trouble;
  if (tail.lines && !tail.link) {
    head_.sequence = tail.at_least;
    trouble = "the last entry had been changed";
  } else if (tail.link) {
    head_ = *tail.link;
  }
  const bool has_records = !tail.lines && options_.has_records && options_.has_records();
  // The head of a trail that has not begun says nothing where the store has begun.
  const bool usable = remembered && is_usable(*remembered, tail) &&
                      !(has_records && remembered->head.sequence == 0);
  if (usable) {
    if (remembered->other_key) {
      noted_.push_back(
          {{.act = "audit.key_changed", .object = {.key = sealer_.key_id()}}, now_microseconds()});
    }
    if (remembered->head.sequence > head_.sequence && trouble.empty())
      trouble = "entries at the end were missing";
    if (remembered->head.sequence == head_.sequence && remembered->head.mac != head_.mac)
      trouble = "the last entry was another";
    if (remembered->head.sequence >= head_.sequence) head_ = remembered->head;
  } else if (tail.lines) {
    trouble += trouble.empty() ? "" : ", and ";
    trouble += remembered ? "the file that remembers the head was torn or changed"
                          : "the file that remembers the head was missing";
  } else if (has_records) {
    trouble = "there was no trail, and the store has records";
  }
  if (trouble.empty()) {
    if (!usable) remember_head();  // before the first entry: one without a head is no beginning
    return {};
  }
  if (usable || !tail.link) path_.clear();  // a file of its own
  noted_.push_back(
      {{.act = kDamaged, .outcome = Outcome::failed, .code = "A113", .reason = trouble},
       now_microseconds()});
  say_damaged(trouble);
  return {};
}

// A head that another key sealed says nothing that can be compared, and anybody can write one. It
// is of a key that was changed only where the trail ends with that key.
bool Log::is_usable(const RememberedHead& remembered, const Tail& tail) const {
  if (remembered.genuine || !remembered.other_key) return remembered.genuine;
  if (!tail.link || tail.key_id != remembered.key_id) return false;
  if (!remembered.key_id.empty()) return true;
  const auto plain = read_head(options_.directory, files_, Sealer());
  return plain && plain->genuine;
}

Result<Log::Tail> Log::read_tail(const std::filesystem::path& path, std::uint64_t first) {
  auto file = TRY(files_.open(path, store::FileSystem::Access::read));
  const std::uint64_t size = TRY(file->size());
  const std::uint64_t from = size > 2 * kLongestLine ? size - 2 * kLongestLine : 0;
  std::string bytes = TRY(read_from(*file, from, size));
  // Sectors that a power failure kept from the disk read as zeros, which no entry has.
  bytes.resize(std::min(bytes.find('\0'), bytes.size()));
  Tail tail;
  const std::size_t end = bytes.rfind('\n');
  if (end == std::string::npos) return tail;
  tail.path = path;
  tail.size = from + end + 1;
  tail.torn = tail.size != size;
  tail.lines = true;
  const std::size_t before = end == 0 ? std::string::npos : bytes.rfind('\n', end - 1);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  if (const auto link = link_of(std::string_view(bytes).substr(begin, end - begin))) {
    tail.link = Head{link->sequence, link->mac};
    tail.key_id = link->key_id;
  }
  tail.at_least =
      first - 1 + static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  return tail;
}

bool Log::is_in_place() const {
  if (file_) {
    const auto size = file_->size();
    return file_->is_at(path_) && (!size || *size >= size_);
  }
  if (path_.empty() || size_ == 0) return true;  // none has been begun
  if (!files_.is_directory(options_.directory)) return false;
  const auto names = files_.list(options_.directory);
  return !names ||
         std::find(names->begin(), names->end(), path_.filename().string()) != names->end();
}

// Somebody may take the trail away while it is written. It goes on from where memory knows that it
// stood, in a file of its own, so that what is missing shows.
void Log::look_whether_in_place() {
  if (head_file_ && !head_file_->is_at(head_file(options_.directory))) {
    head_file_.reset();
    remember_head();
  }
  if (is_in_place()) return;
  const std::string trouble = fmt::format("{} was taken away, replaced or cut while it was written",
                                          path_.filename().string());
  file_.reset();
  path_.clear();
  size_ = 0;
  cut_ = false;
  noted_.push_front(
      {{.act = kDamaged, .outcome = Outcome::failed, .code = "A113", .reason = trouble},
       now_microseconds()});
  say_damaged(trouble);
}

void Log::say_damaged(const std::string& trouble) const {
  if (!options_.report) return;
  options_.report(true, fmt::format("audit: A113 the trail is not as it was left: {}; keep a copy "
                                    "of it, and see `cannula audit verify`",
                                    trouble));
}

Result<void> Log::begin_file() {
  TRY(files_.make_directories(options_.directory));
  const auto path = options_.directory / file_name(head_.sequence + 1);
  if (auto left = files_.open(path, store::FileSystem::Access::write)) {
    // Empty or torn, of a run that was killed: nothing in it was answered for.
    if (TRY(read_tail(path, head_.sequence + 1)).lines) {
      return Error{"A101", "there are entries already in " + path.string(),
                   "see `cannula audit verify`"};
    }
    TRY((*left)->truncate(0));
    file_ = *std::move(left);
  } else {
    file_ = TRY(files_.open(path, store::FileSystem::Access::create));
  }
  TRY(files_.sync_directory(options_.directory));
  path_ = path;
  size_ = 0;
  cut_ = false;
  return {};
}

// All of them together or none.
Result<void> Log::write(const std::vector<Noted>& entries) {
  if (entries.empty()) return {};
  if (path_.empty() || size_ == 0 || size_ >= options_.file_size) {
    file_.reset();
    TRY(begin_file());
  } else if (!file_) {
    file_ = TRY(files_.open(path_, store::FileSystem::Access::write));
  }
  if (cut_) {
    TRY(file_->truncate(size_));
    TRY(file_->sync());
    cut_ = false;
  }
  std::string lines;
  Head head = head_;
  for (const Noted& noted : entries) {
    const std::string line = line_of(noted.entry, noted.at, head, sealer_);
    lines += line;
    lines += '\n';
    head = {head.sequence + 1, link_of(line)->mac};
  }
  auto written = file_->write(size_, lines);
  if (written) written = file_->sync();
  if (!written) {  // nobody knows what is on disk: the rest is cut off before the next write
    file_.reset();
    cut_ = true;
    return written;
  }
  size_ += lines.size();
  head_ = head;
  remember_head();
  anchor(false);
  return {};
}

// Not synced but for the first of a run, which may have another key than the one before: behind the
// trail it only misses less of a cut. Never ahead of it.
void Log::remember_head() {
  const bool first = !head_file_;
  if (first) {
    const auto path = head_file(options_.directory);
    auto file = files_.open(path, store::FileSystem::Access::write);
    if (!file) {
      file = files_.open(path, store::FileSystem::Access::create);
      if (file) static_cast<void>(files_.sync_directory(path.parent_path()).has_value());
    }
    if (!file) return;
    head_file_ = *std::move(file);
  }
  const bool written = head_file_->write(0, head_text(head_, sealer_)).has_value() &&
                       (!first || head_file_->sync().has_value());
  if (!written) head_file_.reset();
}

// The engine's log goes elsewhere: what stands there cannot be changed with the trail.
void Log::anchor(bool now) {
  const std::int64_t at = now_microseconds();
  const bool due = head_.sequence >= anchored_ + kAnchorEvery || at - anchored_at_ >= kAnchorAfter;
  if (!(due || now) || head_.sequence == anchored_) return;
  anchored_ = head_.sequence;
  anchored_at_ = at;
  if (options_.report) options_.report(false, "audit: the trail stands at " + anchor_text(head_));
}

std::optional<JournalEnd> Log::journal_to_tell(std::int64_t at) const {
  if (!options_.journal) return std::nullopt;
  if (at - told_at_ < options_.journal_every && size_ < options_.file_size) return std::nullopt;
  JournalEnd now = options_.journal();
  return now == told_ ? std::nullopt : std::optional(std::move(now));
}

void Log::in_trouble(const Error& error) {
  const bool news = trouble_.empty();
  trouble_ = error.text();
  if (news && options_.report) {
    options_.report(true, "audit: entries cannot be written: " + trouble_ +
                              "; acts of people are refused until they can, messages go on");
  }
}

// With the lock held: what waits, before anything newer.
Result<void> Log::write_noted() {
  if (!opened_) {  // where the trail ends could not be read
    if (auto opened = open(); !opened) {
      in_trouble(opened.error());
      return opened;
    }
    opened_ = true;
  }
  look_whether_in_place();
  const std::int64_t at = now_microseconds();
  std::vector<Noted> entries(noted_.begin(), noted_.end());
  for (Entry& entry : flood_.counted(at, closing_)) entries.push_back({std::move(entry), at});
  if (!trouble_.empty() || lost_ > 0) {
    Entry resumed{.act = "audit.resumed", .reason = trouble_};
    if (lost_ > 0) resumed.detail["entries_lost"] = std::to_string(lost_);
    entries.push_back({std::move(resumed), at});
  }
  const auto journal = journal_to_tell(at);
  if (journal) {
    Entry stands{.act = kJournalStands};
    put(*journal, stands.detail);
    entries.push_back({std::move(stands), at});
  }
  const std::size_t taken = noted_.size();
  if (auto written = write(entries); !written) {
    in_trouble(written.error());
    // What the flood had counted is kept with the rest.
    for (std::size_t i = taken; i < entries.size(); ++i) {
      const std::string& act = entries[i].entry.act;
      if (act == "audit.resumed" || act == kJournalStands) continue;
      if (noted_.size() < kMostNoted) noted_.push_back(std::move(entries[i]));
    }
    return written;
  }
  noted_.clear();
  lost_ = 0;
  if (journal) {
    told_ = *journal;
    told_at_ = at;
  }
  if (!trouble_.empty() && options_.report)
    options_.report(false, "audit: entries are written again");
  trouble_.clear();
  return {};
}

Result<std::uint64_t> Log::append(Entry entry) {
  std::scoped_lock lock(mutex_);
  if (closing_) return Error{"A101", "the audit trail is closed: the engine stops", "ask again"};
  auto done = write_noted();
  if (done) done = write({{std::move(entry), now_microseconds()}});
  if (done) return head_.sequence;
  in_trouble(done.error());
  return Error{"A101", "the audit trail cannot be written: " + done.error().message,
               "what nobody could account for later is not done; messages go on meanwhile. " +
                   done.error().hint};
}

void Log::note(Entry entry) {
  {
    std::scoped_lock lock(mutex_);
    if (noted_.size() >= kMostNoted || closing_) {
      ++lost_;
      ++lost_in_all_;
      return;
    }
    noted_.push_back({std::move(entry), now_microseconds()});
  }
  wake_.notify_one();
}

void Log::note_refusal(Entry entry) {
  entry.outcome = Outcome::refused;
  {
    std::scoped_lock lock(mutex_);
    if (!flood_.lets_through(entry, now_microseconds())) return;
  }
  note(std::move(entry));
}

void Log::run() {
  ::pthread_setname_np(::pthread_self(), "audit");
  std::unique_lock lock(mutex_);
  while (!closing_) {
    // After trouble only once in a while; otherwise when there is something.
    const bool troubled = !trouble_.empty();
    wake_.wait_for(lock, kLookEvery, [&] { return closing_ || (!troubled && !noted_.empty()); });
    if (!closing_) static_cast<void>(write_noted());
  }
}

void Log::close() {
  {
    std::scoped_lock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    static_cast<void>(write_noted());
    anchor(true);
    file_.reset();
    head_file_.reset();
  }
  wake_.notify_one();
  thread_.join();
}

Log::Health Log::health() const {
  std::scoped_lock lock(mutex_);
  return {head_.sequence, lost_in_all_, trouble_};
}

}  // namespace cannula::audit
