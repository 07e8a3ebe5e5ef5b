// One destination of one channel: its durable queue, with a window of it in memory, and the
// couriers that deliver from it, in order per key, with back-off, a circuit breaker for when the
// other side is away, a rate, delivery windows and a pause. What is stat goes first and does not
// wait for a window.
//
// destination.cpp delivers; destination_queue.cpp keeps the queue, in memory and on disk.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "channels/transport/remembering_sender.h"
#include "engine/config/site.h"
#include "engine/pipeline/breaker.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/ended_lately.h"
#include "engine/pipeline/held_back.h"
#include "engine/pipeline/lanes.h"
#include "engine/pipeline/metrics.h"
#include "engine/pipeline/pacer.h"
#include "engine/pipeline/work_queue.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

struct Delivery {
  MessageId id;
  std::uint32_t ordinal = 0;
  store::Position queued = 0;
  store::Position outcome = 0;   // where its payload is
  store::Position accepted = 0;  // where the received message is
  std::string asked_as{};  // the name its script gave: keys keep it when the destination is renamed
  Bytes payload;           // null: read again when it goes
  std::string attributes;  // of the transport; known when `payload` is
  std::string before{};    // of an attempt that delivered it before; known when `payload` is
  std::string among{};     // as Parcel::among; known when `payload` is
  std::optional<std::string> remember{};  // by its sender, with the record of the last attempt
  std::string event;
  std::uint32_t attempts = 0;
  std::chrono::milliseconds tried_for{0};  // from its first attempt on, in earlier runs
  std::optional<std::chrono::steady_clock::time_point> first_tried;  // in this run
  store::Timestamp not_before = 0;
  bool stat = false;
  std::optional<std::size_t>
      counted_bytes;  // what it takes of the window; nothing: it waits behind a hold
};

// What a destination tells its channel. Called on the journal's thread, when the record of it is on
// disk.
class DeliveryObserver {
 public:
  virtual ~DeliveryObserver() = default;
  virtual bool wants_responses() const = 0;  // the channel has an on_response
  virtual void delivered(const Delivery& delivery, const store::OrderKeys& keys,
                         const std::string& destination, const Answer& answer) = 0;
  virtual void died(const Delivery& delivery, const store::OrderKeys& keys,
                    const std::string& destination, const Error& reason) = 0;
  // It and what follows of its keys wait for a person.
  virtual void held(const Delivery& delivery, const std::string& destination,
                    const Error& reason) = 0;
};

// How a destination stands, for status and metrics.
struct Standing {
  Breaker::State breaker = Breaker::State::closed;
  std::uint32_t failures_in_a_row = 0;
  std::int64_t failing_since = 0;  // the first of them; microseconds since 1970
  std::string last_failure{};      // why, without what the other side said
  std::chrono::milliseconds quiet{
      0};  // until something may go again: a probe, or after Retry-After
  bool paused = false;
  bool window_closed = false;
  std::size_t in_memory = 0;
  std::size_t under_way = 0;
  HeldBack held_back{};
};

// Everything runs on `ports.executor`, except what says "any thread". Reading from disk goes
// through `blocking`.
class Destination : public std::enable_shared_from_this<Destination> {
 public:
  using Name = std::pair<MessageId, std::uint32_t>;  // of a delivery: message and ordinal

  // `channels`: the name of its channel, and the names that had before.
  Destination(std::vector<std::string> channels, config::DestinationConfig config, bool hold_key,
              store::Store& store, DeliveryObserver& observer, Ports ports,
              boost::asio::any_io_executor blocking, std::unique_ptr<Sender> sender,
              std::shared_ptr<DestinationMetrics> metrics,
              const WallClock& clock = WallClock::real());
  ~Destination();

  // Before start(): a delivery of this message died in an earlier run, and the channel holds its
  // keys for it.
  void hold(MessageId id, const store::OrderKeys& keys);
  // Before start(): its sender cannot deliver yet, which the first attempts are not needed to
  // learn.
  void begin_away(const Error& why);
  // Any thread: nothing more of this message will come; its keys go on.
  void lift(MessageId id);
  // Any thread: what is held for one message is held for another one, which takes its place.
  void pass_hold_on(MessageId from, MessageId to);
  // Any thread.
  void start();
  // No new attempt begins. Those under way have `grace` to be answered, unless the other side is
  // away: what is cut off it may have, and gets again. Then the transport stops. Attempts already
  // answered are still recorded.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

  // Any thread; never blocks. Called in the order of the journal; what the window has no room for
  // is left on disk.
  void arrive(Delivery delivery, store::OrderKeys keys);
  // Any thread: a delivery that a person put back to work.
  void resend(Delivery delivery, store::OrderKeys keys);
  // Any thread: what waits for its next attempt need not wait any longer.
  void try_now(MessageId id, std::uint32_t ordinal);
  // Any thread: forgets what was discarded while it waited, and lifts the holds of what had died.
  // The index knows of the discarding when this is called. `taken_in` is called on the executor
  // when no new attempt at any of them will begin any more, with how many are under way: of those
  // counts only what is delivered.
  void forget(std::vector<Name> discarded, std::function<void(std::size_t under_way)> taken_in);
  // Any thread: while it is paused no new attempt begins; what is under way ends.
  void pause(bool paused);

  const config::DestinationConfig& config() const { return config_; }
  const DestinationMetrics& metrics() const { return *metrics_; }
  std::size_t in_memory() const { return items_.load(std::memory_order_relaxed); }
  // Away: attempts fail without an answer, and only a probe goes out now and then.
  bool away() const { return standing().breaker != Breaker::State::closed; }
  Standing standing() const;

 private:
  using Lane = Lanes<Delivery>;
  struct Arriving {
    Delivery delivery;
    store::OrderKeys keys;
    bool first = false;
  };

  void reached();  // the other side, which was away
  void wake();
  void take_in();
  void dispatch();
  Parcel parcel_of(const Delivery& delivery) const;
  boost::asio::awaitable<void> attempt(Lane::Entry* entry);
  void wait_to_be_read(Lane::Entry* entry, const Error& why);
  void settle(Lane::Entry* entry, const Remembered& ended);
  void settle_cut_off(Lane::Entry* entry, const Answer& answer);
  void settle_delivered(Lane::Entry* entry, const Answer& answer);
  void settle_dead(Lane::Entry* entry, const Answer& answer);
  void settle_held(Lane::Entry* entry, const Answer& answer);
  void settle_retry(Lane::Entry* entry, const Answer& answer);
  void note_failure(const Remembered& ended, config::RetryConfig::Act act);
  bool note_no_answer(std::string why);
  bool give_up(const Delivery& delivery) const;
  store::Attempt attempt_record(const Lane::Entry& entry, const Answer& answer,
                                store::DeliveryState state) const;
  void commit(store::Attempt attempt, std::function<void()> committed);
  void recorded(Lane::Entry* entry);
  void finish(Lane::Entry* entry);
  void sleep(Lane::Entry* entry, std::chrono::milliseconds time);
  void wake_sleepers(bool all);
  void wake_sleeper(MessageId id, std::uint32_t ordinal);
  void arm_timer();
  bool may_dispatch() const;
  Lane::Entry* next_to_try(bool stat_only);
  bool window_closed() const;
  std::chrono::steady_clock::time_point next_look() const;
  void note_standing();
  HeldBack held_back() const;
  bool has_room() const;
  void refill();
  struct Read {  // from disk, on `blocking`
    std::vector<Arriving> arriving;
    store::Position last = 0;  // everything up to this place has been looked at
    std::uint32_t last_ordinal = 0;
    bool all = false;                 // nothing is behind it
    store::Position complete_to = 0;  // what the index told of; what came later is asked for again
    std::optional<Error> failure{};   // the index could not tell what waits
  };
  Result<std::vector<store::DeliveryRow>> waiting(store::Position after,
                                                  std::uint32_t after_ordinal) const;
  Read read_next(store::Position after, std::uint32_t after_ordinal) const;
  Read read_stat(store::Position after, std::uint32_t after_ordinal) const;
  Result<Delivery> delivery_of(const store::DeliveryRow& row) const;
  void take_in_refilled(Read read);
  void index_was_at(store::Position position);
  void fetch_stat();
  void take_in_stat(Read read);
  void add(Arriving arriving);
  void enter_memory(Delivery& delivery);
  void leave_memory(Delivery& delivery);
  void lift_holds(MessageId id);
  struct Forgetting {
    std::vector<Name> discarded;
    std::function<void(std::size_t)> taken_in;
  };
  std::size_t forget_some(const std::vector<Name>& discarded);
  void drop_names_without_use();
  boost::asio::awaitable<Result<void>> load_payload(Delivery& delivery);
  boost::asio::awaitable<Remembered> deliver(Lane::Entry* entry, const Parcel& parcel);
  class SenderMemory;
  // The key of its wire state that a destination of this name has.
  static std::string memory_key(const std::string& destination) { return "to " + destination; }
  Result<std::string> recall() const;
  void to_its_line(store::OrderKeys& keys) const;

  const std::vector<std::string> channels_;
  const std::string& channel_ = channels_.front();
  const config::DestinationConfig config_;
  const bool hold_key_;
  store::Store& store_;
  DeliveryObserver& observer_;
  Ports ports_;
  const std::unique_ptr<Sender> sender_;
  RememberingSender* const line_;  // the same, where it remembers; else null
  const std::shared_ptr<DestinationMetrics> metrics_;
  const boost::asio::any_io_executor blocking_;
  const Window window_{};
  const WallClock& clock_;

  std::mutex arriving_mutex_;
  std::deque<Arriving> arriving_;
  bool wake_posted_ = false;
  bool on_disk_ = true;
  store::Position last_taken_in_ = 0;
  std::uint32_t last_taken_in_ordinal_ = 0;
  store::Position last_left_ = 0;
  // An index that has not come to here, or not again, shows what has ended as waiting, and leaves
  // out what waits: nothing is concluded from it.
  store::Position index_needed_at_ = 0;
  std::vector<Forgetting> forgetting_;
  EndedLately<Name> ended_;  // of those that were put back to work
  std::set<Name> resent_;  // put back to work by a person, and in memory: a refill passes them over
  store::Position stat_left_ = 0;  // the newest stat delivery that arrive() left on disk
  std::set<Name> fetched_;  // ahead of the queue, because of a stat one: a refill passes them over
  std::vector<MessageId> lifted_;
  std::vector<std::pair<MessageId, MessageId>> passed_on_;
  std::vector<Name> hurried_;
  std::vector<Lane::Entry*> recorded_;  // their last attempt is on disk

  // On the executor only.
  Lane lanes_;
  std::map<MessageId, std::vector<store::OrderKeys>> held_;  // by the message that holds them
  std::set<Name> discarded_;                                 // while they were under way
  std::size_t under_way_ = 0;
  bool unread_ = false;  // it has been said that something cannot be read from disk, and may be
  bool stopping_ = false;
  bool cutting_off_ = false;  // and does not wait for answers any more
  bool refilling_ = false;
  bool looked_for_stat_ = false;  // since the start: an earlier run may have left some
  std::chrono::steady_clock::time_point next_stat_look_{};
  struct Sleeper {
    std::chrono::steady_clock::time_point until;
    Lane::Entry* entry;
  };
  std::vector<Sleeper> sleepers_;  // a heap, soonest first
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer idle_;  // cancelled to tell stop() that nothing is under way
  Breaker breaker_;
  std::chrono::steady_clock::time_point say_again_{};  // a first failure; not before
  Pacer pacer_;
  std::minstd_rand random_;
  std::atomic<std::size_t> items_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<bool> paused_{false};
  mutable std::mutex standing_mutex_;
  Standing standing_;
  std::chrono::steady_clock::time_point quiet_until_{};  // with standing_
};

}  // namespace cannula::pipeline
