#include "engine/store/pruner.h"

#include <algorithm>
#include <future>
#include <thread>

#include <fmt/format.h>

#include "engine/store/group_commit.h"
#include "engine/store/index_reader.h"
#include "engine/store/indexer.h"
#include "engine/store/record_codec.h"

namespace cannula::store {
namespace {

// For the index: of retention alone, and while people's acts wait for it as well.
constexpr std::chrono::milliseconds kLongPatience{60'000};
constexpr std::chrono::milliseconds kPatienceOfOthers{5000};
constexpr std::size_t kRowsAtOnce = 4096;
constexpr std::size_t kForgottenAtOnce = 256;     // messages in one commit
constexpr std::uint64_t kPieceOfWork = 4u << 20;  // bytes packed between two rests
constexpr std::uint64_t kRoomToSpare = 1u << 20;  // beyond what is to stay of a segment
constexpr std::uint64_t kWorthRolling = 1u
                                        << 20;  // bytes; smaller segments are ended when they must
constexpr std::uint64_t kFewRecords = 1000;
constexpr std::size_t kSealOverhead = 41;  // bytes of a sealed record beyond its own

bool is_at_end(MessageState state) {
  return state == MessageState::done || state == MessageState::filtered ||
         state == MessageState::rejected || state == MessageState::dead ||
         state == MessageState::discarded;
}

std::uint64_t saved_by_stripping(const Record& record, std::uint64_t frame_size) {
  std::string left;
  encode(without_bodies(record, 1), left);
  const std::uint64_t stays = kFrameHeaderSize + kSealOverhead + left.size();
  return frame_size > stays ? frame_size - stays : 0;
}

// Whether it says something of its channel that counts for as long as the channel does.
bool outlives_its_message(const Record& record) {
  if (const auto* outcome = std::get_if<Outcome>(&record)) {
    return !outcome->state_writes.empty() || !outcome->misses.empty();
  }
  if (const auto* accepted = std::get_if<Accepted>(&record)) return !accepted->wire_state.empty();
  if (const auto* attempt = std::get_if<Attempt>(&record)) return !attempt->wire_state.empty();
  return false;
}

bool is_damage(const Error& error) {
  return error.code == "J107" || error.code == "J108";
}

}  // namespace

Result<PruneReport> Pruner::run() {
  TRY(parts_.store.catch_up_within(kLongPatience));
  segments_ = parts_.journal.segments();
  TRY(forget_what_is_due());
  if (!order_.dry_run && !report_.ended_early) {
    TRY(parts_.store.catch_up_within(kLongPatience));
    TRY(give_back());
  }
  return std::move(report_);
}

bool Pruner::goes_on() {
  if (!report_.ended_early && order_.go_on && !order_.go_on(report_)) report_.ended_early = true;
  return !report_.ended_early;
}

// In short naps, so that it can be ended at any time.
void Pruner::rest() {
  constexpr auto kNap = std::chrono::milliseconds(20);
  const auto until = Clock::now() + (Clock::now() - began_) * order_.rest;
  while (goes_on() && Clock::now() < until) std::this_thread::sleep_for(kNap);
  began_ = Clock::now();
}

// Its end counts as not before its id was given: the wall clock may have been wrong at the one or
// at the other, and ids do not go back with it.
Pruner::Verdict Pruner::verdict_on(MessageId id, const std::string& channel, MessageState state,
                                   Timestamp changed_at, bool has_bodies) const {
  if (!is_at_end(state)) return Verdict::keep;
  const Keep keep = order_.keep(channel, state);
  const auto given_at = static_cast<Timestamp>(id.millisecond() * 1000);
  const Timestamp age = order_.now - std::max(changed_at, given_at);
  if (keep.message && age >= *keep.message) return Verdict::message;
  return has_bodies && keep.bodies && age >= *keep.bodies ? Verdict::bodies : Verdict::keep;
}

Result<void> Pruner::forget_what_is_due() {
  MessageId after{};
  std::vector<MessageId> due;
  while (goes_on()) {
    const auto rows = TRY(rows_.candidates(after, kRowsAtOnce));
    for (const RetentionReader::Candidate& row : rows) {
      if (verdict_on(row.id, row.channel, row.state, row.changed_at, row.has_bodies) ==
          Verdict::keep) {
        continue;
      }
      due.push_back(row.id);
      if (due.size() < kForgottenAtOnce) continue;
      TRY(forget(std::exchange(due, {})));
      if (!goes_on()) return {};
    }
    if (rows.size() < kRowsAtOnce) break;
    after = rows.back().id;
    rest();
  }
  return due.empty() || report_.ended_early ? Result<void>() : forget(due);
}

Result<void> Pruner::forget(const std::vector<MessageId>& ids) {
  const auto work = [&]() -> Result<void> {
    if (!order_.dry_run) TRY(parts_.store.catch_up_within(kPatienceOfOthers));
    std::map<std::string, Forgotten> messages, bodies;
    for (const MessageId id : ids) TRY(judge(id, messages, bodies));
    if (order_.dry_run) return {};
    TRY(commit(std::move(messages)));
    return commit(std::move(bodies));
  };
  auto done = order_.alone && !order_.dry_run ? order_.alone(work) : work();
  rest();
  return done;
}

// The segment that a position stands in.
std::uint64_t Pruner::base_of(Position position) {
  if (position >= segments_.back().end) segments_ = parts_.journal.segments();
  const auto above = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](Position wanted, const Journal::SegmentFile& one) { return wanted < one.header.base; });
  return above == segments_.begin() ? 0 : std::prev(above)->header.base;
}

// Where it stands, and what it was found by. `verdict` is not to keep it. What cannot be read at
// the moment is an error: it is judged another time.
Result<Forgotten::Entry> Pruner::entry_of(MessageId id, Verdict verdict, FoundBy& found_by) {
  Forgotten::Entry entry;
  entry.id = id;
  std::string buffer;
  for (const Position position : TRY(parts_.reader.trail(id))) {
    const auto frame = parts_.journal.read(position, buffer);
    if (!frame && !is_damage(frame.error())) return frame.error();
    if (!frame) {  // its segment is left as it is
      found_by.all = false;
      continue;
    }
    const auto record = parts_.journal.record_of(*frame);
    if (!record) found_by.all = false;
    if (const auto* outcome = record ? std::get_if<Outcome>(&*record) : nullptr) {
      found_by.keys.insert(found_by.keys.end(), outcome->search_keys.begin(),
                           outcome->search_keys.end());
    }
    std::uint64_t gives = frame->header.size();
    if (verdict == Verdict::bodies) gives = record ? saved_by_stripping(*record, gives) : 0;
    const std::uint64_t base = base_of(position);
    if (entry.pieces.empty() || entry.pieces.back().base != base) entry.pieces.push_back({base, 0});
    entry.pieces.back().bytes += gives;
  }
  return entry;
}

Result<void> Pruner::judge(MessageId id, std::map<std::string, Forgotten>& messages,
                           std::map<std::string, Forgotten>& bodies) {
  const auto row = TRY(parts_.store.message(id));
  if (!row) return {};
  const bool has_bodies = row->bodies_removed == 0;
  Verdict verdict = verdict_on(id, row->channel, row->state, row->changed_at, has_bodies);
  if (verdict == Verdict::keep) return {};
  for (const DeliveryRow& delivery : TRY(parts_.store.deliveries(id))) {
    if (is_open(delivery)) return {};  // the script ended the message, and this goes on
  }
  FoundBy found_by;
  Forgotten::Entry entry = TRY(entry_of(id, verdict, found_by));
  if (order_.held) {
    if (const std::string why = order_.held(*row, found_by); !why.empty()) {
      ++report_.held[why];
      return {};
    }
  }
  // What was made of it asks it what the other side has created.
  if (verdict == Verdict::message && !TRY(parts_.store.edited_as(id)).empty()) {
    ++report_.held["a person made another message of it"];
    if (!has_bodies || !order_.keep(row->channel, row->state).bodies) return {};
    verdict = Verdict::bodies;
    entry = TRY(entry_of(id, verdict, found_by));
  }
  PruneReport::Channel& channel = report_.channels[row->channel];
  for (const Forgotten::Piece& piece : entry.pieces) channel.bytes += piece.bytes;
  ++(verdict == Verdict::message ? channel.messages : channel.bodies);
  Forgotten& record = (verdict == Verdict::message ? messages : bodies)[row->channel];
  record.channel = row->channel;
  record.at = order_.now;
  record.bodies_only = verdict == Verdict::bodies;
  record.entries.push_back(std::move(entry));
  return {};
}

Result<void> Pruner::commit(std::map<std::string, Forgotten> by_channel) {
  std::vector<Record> records;
  for (auto& [channel, record] : by_channel) records.emplace_back(std::move(record));
  if (records.empty()) return {};
  static_cast<void>(TRY(parts_.store.commit(std::move(records))));
  return {};
}

// The largest debts first, which also is what gives most room for the least writing.
Result<void> Pruner::give_back() {
  const auto debts = TRY(rows_.debts());
  TRY(roll_the_last(debts));
  segments_ = parts_.journal.segments();
  for (const RetentionReader::Debt& debt : debts) {
    if (!goes_on()) return {};
    const auto segment = std::find_if(segments_.begin(), segments_.end(), [&](const auto& one) {
      return one.header.base == debt.base;
    });
    if (segment == segments_.end() || segment->as_of > debt.last) {
      TRY(parts_.indexer.settle(debt.base, debt.last + 1));
      continue;
    }
    const bool is_last = std::next(segment) == segments_.end();
    if (!is_last && is_worth_it(debt, segment->size)) TRY(pack(*segment, debt.bytes));
  }
  TRY(clear_front());
  TRY(remove_empty_front());
  return parts_.indexer.tidy([this] { return goes_on(); });
}

// What stands in the last segment cannot leave it. When it has to, the segment is ended.
Result<void> Pruner::roll_the_last(const std::vector<RetentionReader::Debt>& debts) {
  const Journal::SegmentFile last = parts_.journal.segments().back();
  const auto debt = std::find_if(debts.begin(), debts.end(),
                                 [&](const auto& one) { return one.base == last.header.base; });
  if (debt == debts.end() || !is_worth_it(*debt, std::max<std::uint64_t>(last.size, kWorthRolling)))
    return {};
  std::promise<Result<std::vector<Committed>>> done;
  parts_.commits.roll(
      [&](Result<std::vector<Committed>> result) { done.set_value(std::move(result)); });
  static_cast<void>(TRY(done.get_future().get()));
  return parts_.store.catch_up_within(kLongPatience);
}

bool Pruner::is_worth_it(const RetentionReader::Debt& debt, std::uint64_t size) const {
  return debt.bytes >= size / 2 || order_.now - debt.since >= order_.within;
}

// A segment being packed.
struct Pruner::Packing {
  Position base = 0;
  RetentionReader::Gone gone;
  std::set<Position> ledgers;  // those that count
  PackedWriter writer;
  std::set<std::string> channels{};  // whose state or misses were in what is left out
  std::uint64_t read = 0;            // since the last rest
  bool sealed = false;
};

Result<void> Pruner::pack(Journal::SegmentFile segment, std::uint64_t gives) {
  const Position base = segment.header.base;
  const std::uint64_t stays = segment.size - std::min(segment.size, gives);
  if (TRY(parts_.store.free_space()) < stays + kRoomToSpare) {
    ++report_.segments_without_room;
    return {};
  }
  FileSystem& files = parts_.journal.file_system();
  const auto path = parts_.journal.replacement_of(base);
  Packing packing{.base = base,
                  .gone = TRY(rows_.gone_from(base)),
                  .ledgers = {},
                  .writer = TRY(PackedWriter::begin(files, path, segment.header)),
                  .sealed = segment.header.keys != 0};
  for (const auto& place : parts_.journal.pruned().ledgers) packing.ledgers.insert(place.position);
  const auto put = [&]() -> Result<bool> {
    if (!TRY(read_into(segment, packing))) return false;
    const bool free = TRY(write_ledgers(packing.channels, segment.end));
    if (free) TRY(packing.writer.finish(packing.gone.as_of));
    if (free && TRY(parts_.journal.replace(base, packing.gone.as_of, packing.writer.records()))) {
      return true;
    }
    ++report_.segments_pinned;
    return false;
  };
  const auto done = put();
  if (!done || !*done) {
    static_cast<void>(files.remove(path).has_value());
    return done ? Result<void>() : Result<void>(done.error());
  }
  ++report_.segments_packed;
  report_.bytes_freed += segment.size - std::min(segment.size, packing.writer.size());
  TRY(parts_.indexer.settle(base, packing.gone.as_of));
  segments_ = parts_.journal.segments();
  rest();
  return {};
}

// False: it was ended, or the segment is damaged and left as it is, for who may mend it.
Result<bool> Pruner::read_into(const Journal::SegmentFile& segment, Packing& packing) {
  std::vector<Diagnostic> gaps;
  bool whole = true;
  const auto visit = [&](const Frame& frame) -> Result<bool> {
    TRY(pack_frame(frame, packing));
    packing.read += frame.header.size();
    if (packing.read < kPieceOfWork) return true;
    packing.read = 0;
    rest();
    whole = goes_on();
    return whole;
  };
  TRY(parts_.journal.scan(segment.header.base, segment.end, visit, &gaps));
  if (!gaps.empty()) ++report_.segments_damaged;
  return whole && gaps.empty();
}

Result<void> Pruner::pack_frame(const Frame& frame, Packing& packing) {
  switch (static_cast<RecordType>(frame.header.type)) {
    case RecordType::closed:
      return {};
    case RecordType::ledger:
      return packing.ledgers.contains(frame.position)
                 ? packing.writer.add(frame.position, frame.bytes())
                 : Result<void>();
    case RecordType::forgotten:
      return TRY(still_says_something(frame, packing))
                 ? packing.writer.add(frame.position, frame.bytes())
                 : Result<void>();
    default:
      break;
  }
  const auto gone = packing.gone.messages.find(message_id_of(frame.payload));
  if (gone == packing.gone.messages.end()) {
    return packing.writer.add(frame.position, frame.bytes());
  }
  if (gone->second != 0) return add_stripped(frame, gone->second, packing);
  const auto record = parts_.journal.record_of(frame);
  if (!record && record.error().code == "K106") return {};  // its channel was shredded
  if (!record) return record.error();
  if (outlives_its_message(*record)) packing.channels.insert(channel_of(*record));
  return {};
}

// While a segment has something of what was forgotten, a new index must be told so.
Result<bool> Pruner::still_says_something(const Frame& frame, const Packing& packing) const {
  const auto record = parts_.journal.record_of(frame);
  if (!record && record.error().code == "K106") return false;
  if (!record) return record.error();
  const Forgotten& forgotten = std::get<Forgotten>(*record);
  for (const Forgotten::Entry& entry : forgotten.entries) {
    for (const Forgotten::Piece& piece : entry.pieces) {
      if (piece.base == packing.base) continue;  // this one will not have it any more
      const auto segment = std::find_if(segments_.begin(), segments_.end(), [&](const auto& one) {
        return one.header.base == piece.base;
      });
      if (segment != segments_.end() && segment->as_of <= frame.position) return true;
    }
  }
  return false;
}

Result<void> Pruner::add_stripped(const Frame& frame, Timestamp removed, Packing& packing) {
  auto record = parts_.journal.record_of(frame);
  if (!record && record.error().code == "K106") {
    return packing.writer.add(frame.position, frame.bytes());
  }
  if (record && outlives_its_message(*record)) packing.channels.insert(channel_of(*record));
  const Record stripped = without_bodies(TRY(std::move(record)), removed);
  std::string bytes;
  if (packing.sealed && parts_.keys) {
    const security::DataKey& key = *TRY(parts_.keys->of_channel(channel_of(stripped)));
    append_frame(stripped, false, key, bytes);
    seal_frame(bytes.data(), parts_.journal.identity(), frame.position, frame.position, key,
               nonces_);
  } else {
    append_frame(stripped, false, bytes);
    seal_frame(bytes.data(), parts_.journal.identity(), frame.position, frame.position);
  }
  return packing.writer.add(frame.position, bytes);
}

// What is left out has to be in a ledger as of a position behind it. False: the segments are
// pinned.
Result<bool> Pruner::write_ledgers(const std::set<std::string>& channels, Position beyond) {
  Pruned next = parts_.journal.pruned();
  for (const std::string& channel : channels) {
    const Pruned::LedgerPlace* known = next.ledger_of(channel);
    if (known && known->as_of >= beyond) continue;
    Ledger ledger = TRY(rows_.ledger(channel));
    ledger.at = order_.now;
    const Position as_of = ledger.as_of;
    std::vector<Record> records;
    records.emplace_back(std::move(ledger));
    const auto committed = TRY(parts_.store.commit(std::move(records)));
    std::erase_if(next.ledgers, [&](const auto& one) { return one.channel == channel; });
    next.ledgers.push_back({channel, committed.front().position, as_of});
  }
  if (next == parts_.journal.pruned()) return true;
  next.identity = parts_.journal.identity();
  return parts_.journal.note(next);
}

// A segment at the front that was packed and has nothing of messages any more: what retention has
// written into it is not needed there.
Result<void> Pruner::clear_front() {
  const Journal::SegmentFile front = segments_.front();
  if (!front.packed || front.records == 0 || front.records > kFewRecords || segments_.size() < 2) {
    return {};
  }
  std::set<std::string> channels;
  bool of_messages = false;
  const auto ledgers = parts_.journal.pruned().ledgers;
  const auto visit = [&](const Frame& frame) -> Result<bool> {
    const auto type = static_cast<RecordType>(frame.header.type);
    of_messages = type != RecordType::forgotten && type != RecordType::ledger;
    for (const auto& place : ledgers) {
      if (place.position == frame.position) channels.insert(place.channel);
    }
    return !of_messages;
  };
  TRY(parts_.journal.scan(front.header.base, front.end, visit, nullptr));
  if (of_messages) return {};
  if (!TRY(write_ledgers(channels, front.end))) return {};
  return pack(front, front.size);
}

// Segments at the journal's front with nothing in them.
Result<void> Pruner::remove_empty_front() {
  segments_ = parts_.journal.segments();
  std::size_t empty = 0;
  std::uint64_t bytes = 0;
  while (empty + 1 < segments_.size() && segments_[empty].packed && segments_[empty].records == 0) {
    bytes += segments_[empty++].size;
  }
  Pruned next = parts_.journal.pruned();
  if (empty > 0) next.begin = segments_[empty].header.base;
  next.messages += report_.messages();
  next.bodies += report_.bodies();
  next.bytes += report_.bytes_freed + bytes;
  if (next == parts_.journal.pruned()) return {};
  next.identity = parts_.journal.identity();
  if (!TRY(parts_.journal.prune(next))) return {};
  report_.segments_removed = empty;
  report_.bytes_freed += bytes;
  return {};
}

}  // namespace cannula::store
