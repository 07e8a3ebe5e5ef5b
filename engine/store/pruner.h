// One run of Store::prune(). For one thread, which it blocks; the store goes on meanwhile.
#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "engine/store/frame_seal.h"
#include "engine/store/journal.h"
#include "engine/store/retention.h"
#include "engine/store/retention_reader.h"

namespace cannula::store {

class GroupCommit;
class Indexer;
class IndexReader;

class Pruner {
 public:
  struct Parts {  // of the store; they outlive the run
    Store& store;
    Journal& journal;
    Indexer& indexer;
    IndexReader& reader;
    GroupCommit& commits;
    security::KeyRing* keys;  // null: nothing is sealed
  };

  Pruner(Parts parts, RetentionReader rows, const PruneOrder& order)
      : parts_(parts), rows_(std::move(rows)), order_(order) {}

  Result<PruneReport> run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Verdict { keep, bodies, message };
  struct Due {
    MessageId id;
    std::string channel;
  };

  // First: what is due is forgotten.
  Result<void> forget_what_is_due();
  Verdict verdict_on(MessageId id, const std::string& channel, MessageState state,
                     Timestamp changed_at, bool has_bodies) const;
  Result<void> forget(const std::vector<MessageId>& ids);
  Result<void> judge(MessageId id, std::map<std::string, Forgotten>& messages,
                     std::map<std::string, Forgotten>& bodies);
  Result<void> commit(std::map<std::string, Forgotten> by_channel);
  Result<Forgotten::Entry> entry_of(MessageId id, Verdict verdict, FoundBy& found_by);
  std::uint64_t base_of(Position position);

  // Second: segments that owe room give it back.
  Result<void> give_back();
  Result<void> roll_the_last(const std::vector<RetentionReader::Debt>& debts);
  bool is_worth_it(const RetentionReader::Debt& debt, std::uint64_t size) const;
  Result<void> pack(Journal::SegmentFile segment, std::uint64_t gives);
  struct Packing;
  Result<bool> read_into(const Journal::SegmentFile& segment, Packing& packing);
  Result<void> pack_frame(const Frame& frame, Packing& packing);
  Result<bool> still_says_something(const Frame& frame, const Packing& packing) const;
  Result<void> add_stripped(const Frame& frame, Timestamp removed, Packing& packing);
  Result<bool> write_ledgers(const std::set<std::string>& channels, Position beyond);
  Result<void> clear_front();
  Result<void> remove_empty_front();

  void rest();
  bool goes_on();

  const Parts parts_;
  RetentionReader rows_;
  const PruneOrder& order_;
  PruneReport report_;
  Clock::time_point began_ = Clock::now();  // this piece of work
  Nonces nonces_;
  std::vector<Journal::SegmentFile> segments_;  // as they were last asked for
};

}  // namespace cannula::store
