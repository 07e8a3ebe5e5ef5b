// The messages of one channel whose script is still to run, in their order, with only a window of
// them in memory: what does not fit stays on disk and is fetched by way of the index when there is
// room.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/pipeline/ended_lately.h"
#include "engine/pipeline/held_back.h"
#include "engine/pipeline/lanes.h"
#include "engine/pipeline/order.h"
#include "engine/script/runtime.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

struct Judgement;

struct WorkItem {
  MessageId id;
  store::Position accepted = 0;  // where the body is
  store::Position queued = 0;    // its place in the queue
  std::uint32_t next_ordinal = 1;
  store::Timestamp received_at = 0;
  Bytes body;  // null for what waits behind a hold: read again when it goes
  std::shared_ptr<const hl7v2::Message> parsed;  // of `body`, when its key had to be read
  std::string attributes;                        // of its Arrival; known once `body` is
  std::optional<script::Response> response;      // set: on_response is to run
  bool resent = false;                           // a person put it back to work
  std::shared_ptr<const Judgement> judgement{};  // of [validate], when it was looked at already

 private:
  friend class WorkQueue;
  std::optional<std::size_t> counted_bytes_;  // what it takes of the window
};

struct Window {
  std::size_t items = 4096;
  std::size_t bytes = 16u << 20;
};

class WorkQueue {
 public:
  using Lane = Lanes<WorkItem>;

  // `channels`: the name of its channel, and the names that had before.
  WorkQueue(std::vector<std::string> channels, OrderKeyMaker order, Window window,
            const store::Store& store);

  // A message is on disk. Called in the order of the journal (on its thread). Never blocks; when
  // the window is full the message is left to refill(). Nothing is taken in before the first
  // refill() has read what an earlier run left.
  void arrive(WorkItem item);
  // Runs beside the order of arrival, never left to refill(): a response to handle, a message put
  // back to work.
  void arrive_aside(WorkItem item, store::OrderKeys keys, bool first);

  // Messages of this channel have been stored, up to the journal's end, without being handed to
  // arrive().
  void look_on_disk();

  // The next message that may be worked, or null. Workers.
  Lane::Entry* take();
  void release(Lane::Entry* entry);   // what became of it is on disk, or it is discarded
  void put_back(Lane::Entry* entry);  // it was not worked after all
  // A message parked or died, and its keys must wait for it, until lift(). Once for each message.
  void hold(MessageId id, const store::OrderKeys& keys);
  void lift(MessageId id);
  // Forgets messages that were discarded while they waited, which is on disk.
  void forget(const std::unordered_set<MessageId>& ids);

  bool has_work() const;
  // True when messages wait on disk only and there is room for them.
  bool wants_refill() const;
  // Reads the next ones from the store. Blocks on the disk; one caller at a time does the work,
  // others return at once. Reads nothing while the index is being built anew.
  Result<void> refill();

  // Of what has been read from disk; what waits behind a hold is, unless it is very much.
  HeldBack held_back() const;
  std::size_t in_memory() const { return items_.load(std::memory_order_relaxed); }

 private:
  Result<std::vector<store::Store::Waiting>> waiting(store::Position after) const;
  void index_was_at(store::Position position);
  void admit_arrivals();
  void enter_memory(WorkItem& item);
  void leave_memory(WorkItem& item);

  const std::vector<std::string> channels_;
  const OrderKeyMaker order_;
  const Window window_;
  const store::Store& store_;

  mutable std::mutex arrivals_mutex_;  // taken alone, or after lanes_mutex_
  std::deque<WorkItem> arrivals_;
  bool on_disk_ = true;  // some wait on disk only
  bool refilling_ = false;
  store::Position last_taken_in_ = 0;  // everything up to here has been in memory
  store::Position last_left_ = 0;      // the newest one that arrive() left on disk
  // An index that has not come to here, or not again, shows what has ended as waiting, and leaves
  // out what waits: nothing is concluded from it.
  store::Position index_needed_at_ = 0;
  std::unordered_set<MessageId>
      aside_;  // put back to work by a person, and in memory: refill() passes them over
  EndedLately<MessageId> ended_;  // of those that were put back to work

  mutable std::mutex lanes_mutex_;
  Lane lanes_;
  std::map<MessageId, store::OrderKeys> held_;  // by the message that holds them
  std::atomic<std::size_t> items_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace cannula::pipeline
