#include "engine/store/group_commit.h"

#include <fmt/format.h>
#include <pthread.h>

#include "engine/store/frame_seal.h"

namespace cannula::store {
namespace {

// Under load a sync soon after another costs more processor time than the messages in it. After a
// batch of this many submissions the next one waits a little for company: with 64 senders 78 µs of
// processor time a message in place of 99, and a fifth more messages a second
// (tests/bench/relay_bench.py). A few senders never wait.
constexpr std::size_t kManyAtOnce = 8;
constexpr std::chrono::microseconds kGather{500};
constexpr std::size_t kVeryManyAtOnce = 32;  // then twice as long

constexpr std::size_t kLargestBatch = 64u << 20;  // bytes; the rest goes with the next one
constexpr std::size_t kBufferKept = 8u << 20;     // a batch larger than usual gives its memory back

std::uint64_t milliseconds_now() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

Error closed() {
  return Error{"J105",
               "the store is closed or closing",
               "nothing was stored; send again once the engine runs",
               {}};
}

std::optional<Error> too_large(const std::string& frames,
                               const std::vector<std::uint32_t>& offsets) {
  if (frames.size() < kLongestPayload) return std::nullopt;
  return Error{"J106",
               fmt::format("{} bytes in {} records are more than one commit may have ({})",
                           frames.size(), offsets.size(), kLongestPayload),
               "set a lower max_size on the source",
               {}};
}

}  // namespace

GroupCommit::GroupCommit(Journal& journal, security::KeyRing* keys, std::size_t pending_limit,
                         OnDurable durable)
    : journal_(journal),
      keys_(keys),
      pending_limit_(pending_limit),
      durable_(std::move(durable)),
      last_id_(journal.last_id()),
      next_position_(journal.end()),
      written_last_id_(journal.last_id()),
      thread_([this] { run(); }) {}

GroupCommit::~GroupCommit() {
  close();
}

void GroupCommit::submit(std::vector<Record> records, Store::Completion done) {
  Submission submission;
  if (auto encoded = encode(records, submission); !encoded) return done(encoded.error());
  for (const Record& record : records) submission.durable.memory += memory_of(record);
  submission.durable.records = std::move(records);
  submission.done = std::move(done);
  submission.committed.resize(submission.offsets.size());
  enqueue(std::move(submission));
}

void GroupCommit::roll(Store::Completion done) {
  journal_.roll();
  Submission mark;
  append_mark(keys_, mark.frames);
  mark.done = std::move(done);
  enqueue(std::move(mark));
}

void GroupCommit::enqueue(Submission submission) {
  bool first = false;
  {
    std::unique_lock guard(lock_);
    if (closing_) {
      guard.unlock();
      return submission.done(closed());
    }
    assign(submission);
    pending_bytes_.fetch_add(submission.frames.size() + submission.durable.memory,
                             std::memory_order_relaxed);
    first = pending_.empty();
    pending_.push_back(std::move(submission));
  }
  if (first) changed_.notify_one();  // otherwise the thread has been told already
}

Result<void> GroupCommit::encode(const std::vector<Record>& records, Submission& submission) const {
  submission.offsets.reserve(records.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < records.size() && size < kLongestPayload; ++i) {
    submission.offsets.push_back(static_cast<std::uint32_t>(size));
    const bool continues = i + 1 < records.size();
    if (keys_ != nullptr) {
      submission.keys.push_back(TRY(keys_->of_channel(channel_of(records[i]))));
      append_frame(records[i], continues, *submission.keys.back(), submission.frames);
    } else {
      append_frame(records[i], continues, submission.frames);
    }
    size = submission.frames.size();
  }
  if (auto error = too_large(submission.frames, submission.offsets)) return *std::move(error);
  return {};
}

// Ids rise in the order of positions, so both are given out together.
void GroupCommit::assign(Submission& submission) {
  std::uint64_t now = 0;
  submission.durable.begin = next_position_;
  submission.durable.positions.reserve(submission.offsets.size());
  for (std::size_t i = 0; i < submission.offsets.size(); ++i) {
    Record& record = submission.durable.records[i];
    if (auto* accepted = std::get_if<Accepted>(&record)) {
      if (now == 0) now = milliseconds_now();
      last_id_ = std::max(last_id_ + 1, MessageId::first_of(now).value);
      accepted->id.value = last_id_;
      put_message_id(submission.frames.data() + submission.offsets[i] + kFrameHeaderSize,
                     accepted->id);
    }
    const Position position = next_position_ + submission.offsets[i];
    const MessageId id = std::visit([](const auto& kind) { return kind.id; }, record);
    submission.committed[i] = Committed{.id = id, .position = position};
    submission.durable.positions.push_back(position);
  }
  next_position_ += submission.frames.size();
  submission.durable.end = next_position_;
}

bool GroupCommit::has_room() const {
  return pending_bytes_.load(std::memory_order_relaxed) <= pending_limit_;
}

void GroupCommit::when_room(std::function<void()> resume) {
  {
    const std::lock_guard guard(lock_);
    if (!has_room()) {
      waiting_for_room_.push_back(std::move(resume));
      return;
    }
  }
  resume();
}

std::optional<Error> GroupCommit::trouble() const {
  const std::lock_guard guard(lock_);
  return trouble_;
}

void GroupCommit::note(const Result<void>& written) {
  const std::lock_guard guard(lock_);
  trouble_ = written ? std::nullopt : std::optional(written.error());
}

void GroupCommit::probe() {
  {
    const std::lock_guard guard(lock_);
    if (!pending_.empty()) return;
  }
  Submission mark;
  append_mark(keys_, mark.frames);
  mark.done = [](const auto&) {};
  enqueue(std::move(mark));
}

void GroupCommit::make_room(std::size_t written) {
  std::vector<std::function<void()>> resumed;
  {
    const std::lock_guard guard(lock_);
    pending_bytes_.fetch_sub(written, std::memory_order_relaxed);
    if (has_room()) resumed.swap(waiting_for_room_);
  }
  for (const auto& resume : resumed) resume();
}

void GroupCommit::run() {
  ::pthread_setname_np(::pthread_self(), "journal");
  std::vector<Submission> batch;
  std::size_t previous = 0;
  std::unique_lock guard(lock_);
  while (true) {
    changed_.wait(guard, [this] { return closing_ || !pending_.empty(); });
    if (pending_.empty()) return;
    if (previous >= kManyAtOnce && !closing_) {  // more are on their way: let them share the sync
      guard.unlock();
      std::this_thread::sleep_for(previous >= kVeryManyAtOnce ? 2 * kGather : kGather);
      guard.lock();
    }
    batch.swap(pending_);
    previous = batch.size();
    guard.unlock();
    write(batch);
    batch.clear();
    guard.lock();
  }
}

void GroupCommit::write(std::vector<Submission>& all) {
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin;
    for (std::size_t size = 0; end < all.size() && size < kLargestBatch; ++end) {
      size += all[end].frames.size();
    }
    std::vector<Submission> batch(
        std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(begin)),
        std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(end)));
    begin = end;
    const auto written = append(batch);
    std::size_t size = 0;
    std::size_t memory = 0;
    std::vector<Durable> durable;
    durable.reserve(batch.size());
    for (Submission& submission : batch) {
      size += submission.frames.size();
      memory += submission.durable.memory;
      durable.push_back(std::move(submission.durable));
    }
    if (size > 0) note(written);
    if (written && size > 0) durable_(std::move(durable));
    for (Submission& submission : batch) {
      if (written) {
        submission.done(std::move(submission.committed));
      } else {
        submission.done(written.error());
      }
    }
    make_room(size + memory);
  }
}

Result<void> GroupCommit::append(std::vector<Submission>& batch) {
  const Position first = batch.front().durable.begin;
  buffer_.clear();
  for (const Submission& submission : batch) buffer_.append(submission.frames);
  if (buffer_.empty()) return {};
  for (Submission& submission : batch) {
    seal(submission, first);
    for (const Committed& one : submission.committed) {
      written_last_id_ = std::max(written_last_id_, one.id.value);
    }
  }
  auto result = journal_.append(buffer_, first, written_last_id_);
  if (buffer_.capacity() > kBufferKept) std::string().swap(buffer_);
  return result;
}

void GroupCommit::seal(Submission& submission, Position first) {
  const std::vector<Position>& positions = submission.durable.positions;
  if (positions.empty() && !submission.frames.empty()) {  // a mark
    char* frame = buffer_.data() + (submission.durable.begin - first);
    seal_mark(frame, journal_.identity(), submission.durable.begin, first, keys_);
  }
  for (std::size_t i = 0; i < positions.size(); ++i) {
    char* frame = buffer_.data() + (positions[i] - first);
    const FrameHeader header = submission.keys.empty()
                                   ? seal_frame(frame, journal_.identity(), positions[i], first)
                                   : seal_frame(frame, journal_.identity(), positions[i], first,
                                                *submission.keys[i], nonces_);
    submission.durable.last_checksum = header.checksum;
  }
}

void GroupCommit::close() {
  {
    const std::lock_guard guard(lock_);
    closing_ = true;
  }
  changed_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  make_room(0);
  // The mark is a batch of its own: it proves that the last real one is whole, so that a later
  // fault in it is seen as damage and not as a torn tail.
  std::string mark;
  append_mark(keys_, mark);
  seal_mark(mark.data(), journal_.identity(), next_position_, next_position_, keys_);
  static_cast<void>(journal_.append(mark, next_position_, last_id_).has_value());
}

}  // namespace cannula::store
