#include "engine/store/indexer.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>

#include "engine/store/replay.h"
#include "engine/store/segment.h"

namespace cannula::store {
namespace {

using namespace std::chrono_literals;

// A message's records come within milliseconds of each other. Waiting that long turns them into one
// row write; the second bound holds under load, when it pays most.
constexpr auto kShortDelay = 10ms;
constexpr auto kLongDelay = 200ms;
constexpr std::size_t kFewRecords = 32;
constexpr std::size_t kManyRecords = 20'000;    // are indexed without waiting longer
constexpr std::size_t kTakenLimit = 96u << 20;  // bytes in memory of records waiting for the index
constexpr std::uintmax_t kLargeLog = 1u << 20;  // bytes, of the WAL of an index at rest
constexpr auto kRetryDelay = 250ms;
constexpr auto kLookEvery = 1s;

std::pair<std::uint64_t, std::uint64_t> identity_of(const std::filesystem::path& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return {};
  return {file.st_dev, file.st_ino};
}

}  // namespace

Result<std::unique_ptr<Indexer>> Indexer::open(std::filesystem::path path, const Journal& journal,
                                               const RowSeal& seal, IndexReader& reader,
                                               bool in_background, Recovery& recovery,
                                               const IndexProgress& progress) {
  std::unique_ptr<Indexer> indexer(new Indexer(std::move(path), journal, seal, reader));
  TRY(indexer->open_index(recovery, progress));
  indexer->in_background_ = in_background;
  if (in_background) indexer->thread_ = std::thread([raw = indexer.get()] { raw->run(); });
  return indexer;
}

Indexer::~Indexer() {
  close();
}

Result<void> Indexer::open_index(Recovery& recovery, const IndexProgress& progress) {
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path_, ignored);
  const auto attempt = [&]() -> Result<std::string> {
    index_ = TRY(Index::open(path_, seal_));
    file_ = identity_of(path_);
    const std::string why = TRY(why_not_to_use(*index_));
    if (!why.empty()) return why;
    TRY(replay_at_opening(recovery, progress));
    return std::string();
  };
  auto why = attempt();
  if (why && why->empty()) return {};
  if (!why && why.error().code != "J302") return std::move(why).error();
  if (existed || journal_.end() > kFirstPosition) {
    recovery.index_rebuilt = true;
    recovery.index_rebuilt_why = !existed ? "there was none" : why ? *why : why.error().message;
  }
  TRY(build_anew(&recovery.damage));
  recovery.records_replayed = 0;
  return replay_at_opening(recovery, progress);
}

Result<void> Indexer::replay_at_opening(Recovery& recovery, const IndexProgress& progress) {
  const Position from = index_->progress().indexed_up_to;
  const Position to = journal_.end();
  const auto committed = [&](Position reached) {
    if (progress) progress(reached - from, to - from);
  };
  TRY(replay_journal(journal_, to, *index_, &recovery.records_replayed, &recovery.damage,
                     committed));
  publish();
  return {};
}

// Empty: it belongs to this journal and is not ahead of it.
Result<std::string> Indexer::why_not_to_use(const Index& index) const {
  const Index::Progress& progress = index.progress();
  if (progress.store.empty()) return std::string("it is empty");
  if (progress.store != identity_text(journal_.identity())) {
    return fmt::format("it belongs to store {}", progress.store);
  }
  if (progress.indexed_up_to > journal_.end()) {
    return fmt::format(
        "it is ahead of the journal ({} > {}), which was probably restored from a backup",
        progress.indexed_up_to, journal_.end());
  }
  if (progress.indexed_up_to < journal_.begin()) {
    return fmt::format("it is behind what retention has removed ({} < {})", progress.indexed_up_to,
                       journal_.begin());
  }
  if (!journal_.is_packed(progress.last_position)) {
    std::string buffer;
    const auto last = journal_.read(progress.last_position, buffer);
    // Damage is not a reason: the index knows what the journal lost.
    const bool other =
        last ? last->header.checksum != progress.last_checksum : last.error().code == "J107";
    if (other) return std::string("the journal has another record where it was read last");
  }
  return std::string();
}

Result<void> Indexer::build_anew(std::vector<Diagnostic>* damage) {
  index_.reset();
  // Before anybody can open the new file: what it leaves out is not taken for gone.
  builds_.fetch_add(1, std::memory_order_acq_rel);
  indexed_.store(journal_.begin(), std::memory_order_release);
  pin_ = journal_.pin();
  pinned_until_ = journal_.end();
  TRY(Index::remove(path_));
  index_ = TRY(Index::open(path_, seal_));
  file_ = identity_of(path_);
  TRY(start_index(journal_, *index_, damage));
  reader_.reopen();
  return {};
}

void Indexer::publish() {
  const Position up_to = index_->progress().indexed_up_to;
  indexed_.store(up_to, std::memory_order_release);
  if (pin_ && up_to >= pinned_until_) pin_.reset();
}

Result<void> Indexer::replay(Position to, std::uint64_t* records, std::vector<Diagnostic>* damage) {
  TRY(replay_journal(journal_, to, *index_, records, damage));
  publish();
  return {};
}

void Indexer::take(std::vector<Durable> batch) {
  if (!in_background_) return;
  std::size_t bytes = 0;
  std::size_t records = 0;
  for (const Durable& submission : batch) {
    bytes += submission.memory;
    records += submission.records.size();
  }
  bool tell = false;
  {
    const std::lock_guard guard(lock_);
    if (left_out_ || taken_bytes_ + bytes > kTakenLimit) {
      left_out_ = true;
      tell = true;
    } else {
      tell = taken_.empty() || taken_records_ + records >= kManyRecords;
      taken_bytes_ += bytes;
      taken_records_ += records;
      std::move(batch.begin(), batch.end(), std::back_inserter(taken_));
    }
  }
  if (tell) work_.notify_one();
}

void Indexer::wait_for_work(std::unique_lock<std::mutex>& guard) {
  const auto urgent = [this] {
    return closing_ || left_out_ || taken_records_ >= kManyRecords ||
           (hurried_ > 0 && (!taken_.empty() || journal_.end() > indexed_up_to()));
  };
  if (!work_.wait_for(guard, kLookEvery, [&] { return urgent() || !taken_.empty(); })) return;
  if (work_.wait_for(guard, kShortDelay, urgent) || taken_records_ < kFewRecords) return;
  work_.wait_for(guard, kLongDelay - kShortDelay, urgent);
}

void Indexer::run() {
  ::pthread_setname_np(::pthread_self(), "indexer");
  std::unique_lock guard(lock_);
  while (true) {
    wait_for_work(guard);
    guard.unlock();
    look_whether_in_place();
    guard.lock();
    std::deque<Durable> taken;
    taken.swap(taken_);
    taken_bytes_ = 0;
    taken_records_ = 0;
    const bool from_journal = std::exchange(left_out_, false) || hurried_ > 0 || closing_;
    const bool last = closing_;
    guard.unlock();

    if (!last) build_anew_if_distrusted();
    if (taken.empty() && !from_journal && !last) empty_log_if_large();
    Result<void> done = index_taken(std::move(taken));
    if (done && from_journal) {
      const std::lock_guard index_guard(index_lock_);
      if (index_->progress().indexed_up_to < journal_.end()) {
        done = replay(journal_.end(), nullptr, nullptr);
      }
    }
    const auto trouble = done || last ? std::nullopt : recover_from(done.error());

    guard.lock();
    trouble_ = trouble;
    if (!done) left_out_ = true;  // what was taken is to be read from the journal now
    progressed_.notify_all();
    if (last) return;
    if (!done) work_.wait_for(guard, kRetryDelay, [this] { return closing_; });
  }
}

Result<void> Indexer::index_taken(std::deque<Durable> taken) {
  const std::lock_guard guard(index_lock_);
  if (!index_) TRY(build_anew(nullptr));  // the last attempt failed
  if (taken.empty()) return {};
  Position at = index_->progress().indexed_up_to;
  if (taken.front().begin > at) TRY(replay(taken.front().begin, nullptr, nullptr));
  Index::Progress reached = index_->progress();
  for (const Durable& submission : taken) {
    if (submission.end <= reached.indexed_up_to) continue;  // read from the journal already
    for (std::size_t i = 0; i < submission.records.size(); ++i) {
      if (auto applied = index_->apply(submission.records[i], submission.positions[i]); !applied) {
        index_->forget();
        return applied;
      }
    }
    reached.indexed_up_to = submission.end;
    if (!submission.positions.empty()) {
      reached.last_position = submission.positions.back();
      reached.last_checksum = submission.last_checksum;
    }
  }
  TRY(index_->commit(std::move(reached)));
  publish();
  return {};
}

// A full disk passes, and trying again costs little. A damaged file does not pass. What is still in
// the way then.
std::optional<Error> Indexer::recover_from(const Error& error) {
  if (error.code != "J302") return error;
  const std::lock_guard guard(index_lock_);
  if (auto built = build_anew(nullptr); !built) return std::move(built).error();
  publish();
  const std::lock_guard told(lock_);
  distrusted_ = false;
  return std::nullopt;
}

std::optional<Error> Indexer::trouble() const {
  const std::lock_guard guard(lock_);
  return trouble_;
}

bool Indexer::distrust() {
  {
    const std::lock_guard guard(lock_);
    if (closing_ || distrusted_) return false;
    distrusted_ = true;
    left_out_ = true;  // it is read from the journal
  }
  work_.notify_one();
  return true;
}

// Who takes the file away, or puts another in its place, takes it from those alone that open it
// anew: what is written goes on into a file that nobody finds.
void Indexer::look_whether_in_place() {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_at_ < kLookEvery) return;
  looked_at_ = now;
  {
    const std::lock_guard index_guard(index_lock_);
    if (!index_ || identity_of(path_) == file_) return;
  }
  static_cast<void>(seal_.changed("its file is not in its place any more"));
}

// When nothing is to be done: what is left of a burst takes room that may be what the disk lacks.
void Indexer::empty_log_if_large() {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path_.string() + "-wal", ignored);
  if (ignored || size <= kLargeLog) return;
  const std::lock_guard guard(index_lock_);
  if (index_) static_cast<void>(index_->empty_log().has_value());  // or the next time
}

void Indexer::build_anew_if_distrusted() {
  {
    const std::lock_guard guard(lock_);
    if (!distrusted_) return;
  }
  {
    const std::lock_guard index_guard(index_lock_);
    if (build_anew(nullptr)) publish();
  }
  const std::lock_guard guard(lock_);
  distrusted_ = false;
}

Result<void> Indexer::settle(Position base, Position as_of) {
  const std::lock_guard guard(index_lock_);
  if (!index_) return {};  // closing
  return index_->settle(base, as_of);
}

Result<void> Indexer::tidy(const std::function<bool()>& go_on) {
  constexpr int kPages = 256;
  std::int64_t left = 1;
  while (left > 0 && go_on()) {
    {
      const std::lock_guard guard(index_lock_);
      if (!index_) return {};
      const std::int64_t before = left;
      left = TRY(index_->give_back(kPages));
      if (left == before) break;  // not a file that can give back
    }
    std::this_thread::sleep_for(kShortDelay);
  }
  const std::lock_guard guard(index_lock_);
  return index_ ? index_->empty_log() : Result<void>();
}

void Indexer::catch_up() {
  const Position target = journal_.end();
  if (!in_background_) build_anew_if_distrusted();
  if (indexed_up_to() >= target) return;
  if (!in_background_) {
    const std::lock_guard guard(index_lock_);
    static_cast<void>(replay(target, nullptr, nullptr).has_value());
    return;
  }
  std::unique_lock guard(lock_);
  ++hurried_;
  work_.notify_one();
  progressed_.wait(guard, [&] { return closing_ || indexed_up_to() >= target; });
  --hurried_;
}

Result<void> Indexer::catch_up_within(std::chrono::milliseconds time) {
  const Position target = journal_.end();
  if (!in_background_) catch_up();
  std::unique_lock guard(lock_);
  const auto done = [&] { return closing_ || indexed_up_to() >= target; };
  if (!done() && in_background_) {
    ++hurried_;
    work_.notify_one();
    progressed_.wait_for(guard, time, done);
    --hurried_;
  }
  if (done()) return {};
  return is_behind();
}

// With lock_ held.
Error Indexer::is_behind() const {
  const Position end = journal_.end();
  return {"J303",
          fmt::format("the index is {} bytes behind the journal{}",
                      end - std::min(end, indexed_up_to()),
                      trouble_ ? ", because it cannot be written: " + trouble_->message : ""),
          trouble_ ? "free space on the disk, or see to what it says; the index follows by itself"
                   : "ask again when it has followed: `cannula status` says how far it is behind"};
}

void Indexer::close() {
  {
    const std::lock_guard guard(lock_);
    closing_ = true;
  }
  work_.notify_all();
  progressed_.notify_all();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard guard(index_lock_);
  if (index_ && !in_background_ && index_->progress().indexed_up_to < journal_.end()) {
    static_cast<void>(replay(journal_.end(), nullptr, nullptr).has_value());
  }
  index_.reset();
}

}  // namespace cannula::store
