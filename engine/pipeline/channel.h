// A running channel: where its source, its script and its destinations meet. It knows how each step
// of a message is written to the store and what follows once it is on disk; it has no thread of its
// own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/config/site.h"
#include "engine/pipeline/acts.h"
#include "engine/pipeline/destination.h"
#include "engine/pipeline/metrics.h"
#include "engine/pipeline/order.h"
#include "engine/pipeline/script_state.h"
#include "engine/pipeline/work_queue.h"
#include "engine/script/runtime.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

class Scheduler;

// How many workers work for a channel, and whether it stands in the ring of those with work. Kept
// by the scheduler.
struct Turns {
  std::atomic<int> working{0};
  std::atomic<int> slow{0};  // scripts of it in the slow lane
  bool in_ring = false;      // under the scheduler's mutex
};

// What became of a message that its sender waits for (ack = "processed" or "delivered:…").
struct Fate {
  enum class Kind { well, refused, lost_sight } kind = Kind::well;
  Error reason{};
  std::optional<Reply> reply{};  // what the script answers
};
using Waiter = std::function<void(Fate)>;

class Channel : public DeliveryObserver, public std::enable_shared_from_this<Channel> {
 public:
  Channel(config::ChannelConfig config, std::shared_ptr<const script::Program> program,
          store::Store& store, Scheduler& scheduler, boost::asio::any_io_executor background);

  const std::string& name() const { return config_.name; }
  const config::ChannelConfig& config() const { return config_; }
  ChannelMetrics& metrics() { return metrics_; }
  const ChannelMetrics& metrics() const { return metrics_; }
  WorkQueue& queue() { return queue_; }
  ScriptState& state() { return state_; }
  Turns& turns() { return turns_; }
  const Turns& turns() const { return turns_; }
  const store::Store& store() const { return store_; }

  // Before start. The destinations live as long as the channel.
  void attach(std::shared_ptr<Destination> destination);
  const std::map<std::string, std::shared_ptr<Destination>>& destinations() const {
    return destinations_;
  }
  // By its name or one that it had before; null when there is none.
  std::shared_ptr<Destination> destination_named(const std::string& name) const;
  // Its name, and those it had before.
  std::vector<std::string> names() const;
  // Reads from the store what an earlier run left: script state, held keys, responses still to
  // handle.
  Result<void> restore();

  // -- Any thread
  // The script that new messages run; a reload replaces it.
  std::shared_ptr<const script::Program> program() const;
  void replace_program(std::shared_ptr<const script::Program> program);

  // A message is on disk (journal's thread, in its order). `waiter` may be empty.
  void arrived(WorkItem item, Waiter waiter);
  // A worker ran the script on what `entry` holds: commits the outcome; its keys go on when that is
  // on disk.
  void conclude(WorkQueue::Lane::Entry* entry, const hl7v2::Message* message,
                script::Conclusion conclusion);

  // Work is suspended because the script keeps running into its limits, or a message cannot be
  // read back; a reload or resume_work() ends it. `next` is what those who run the engine do then.
  bool paused() const { return paused_.load(std::memory_order_relaxed) || work_paused_; }
  void pause_work(std::string_view why, std::string_view next = "mend the script and reload");
  void resume_work();
  // What pause_work() was told; empty when it is not so that work is paused.
  std::string why_paused() const;
  // Messages whose script waits because an earlier one of their key is parked or dead.
  HeldBack held_back() const { return queue_.held_back(); }
  // A person's own pauses. Nothing is taken from senders while intake is paused: they are told to
  // try again later. Work that is under way ends.
  void pause_intake(bool paused) { intake_paused_ = paused; }
  void pause_work_by_hand(bool paused);
  // The disk has less room than `keep_free`: senders are told to try again later.
  void set_disk_low(bool low) { disk_low_ = low; }
  // A reload takes it or a destination of it away, and asks what waits: nothing is added to that.
  void set_leaving(bool leaving) { leaving_ = leaving; }
  // Why nothing is taken from senders now (P314, P318, P339); nothing when it is.
  std::optional<Error> not_taking() const;
  // Called on a worker's thread when the script failed on a message and on_error = "stop" says that
  // work stops; no other message is begun before it returns.
  void on_stop(std::function<void(MessageId)> notify) { on_stop_ = std::move(notify); }
  // No worker takes from it any more. Messages go on being accepted.
  void stop_work() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  bool may_work() const { return !stopped_ && !paused(); }

  // Puts back to work a message (ordinal 0), after its Resent record is on disk.
  void work_again(const Chosen& message, store::Position queued);
  // The same of a delivery, which goes before what waits already.
  void deliver_first(const Chosen& chosen, store::Position queued);
  // One of many deliveries that are put back to work: on the journal's thread, in its order, so
  // that what memory has no room for can be left on disk. It goes behind what waits already.
  void deliver_again(const Chosen& chosen, store::Position queued);
  // A delivery that waits for its next attempt is tried at once.
  void try_now(MessageId id, std::uint32_t ordinal);
  // A message that a person made of another one is on disk (journal's thread). It takes the place
  // of `instead`, which may hold its keys; 0: of none.
  void edited(WorkItem item, MessageId instead);
  // A person is about to discard the message: what its script decides from now on is put aside,
  // until keep_outcome_of() or discarded() says whether it counts.
  void put_aside_outcome_of(MessageId id);
  // It is not discarded after all.
  void keep_outcome_of(MessageId id);
  // After their Discarded records are on disk and in the index; as they were before. Blocks until
  // its destinations have taken it in, so that no new attempt begins afterwards, but no longer than
  // store::kPatience. Answers how many attempts were under way, or may have been, because the
  // destination did not take it in in time.
  std::size_t discarded(std::span<const Chosen> chosen);

  // Tells everyone who still waits for a fate that it will not be known here.
  void abandon_waiters();

  // DeliveryObserver: on the journal's thread.
  bool wants_responses() const override { return wants_responses_.load(std::memory_order_relaxed); }
  // Called on the journal's thread when a message has been parked until its codes are mapped.
  void on_parked_until_mapped(std::function<void()> notify) {
    parked_until_mapped_ = std::move(notify);
  }
  void set_wants_responses(bool wanted) { wants_responses_ = wanted; }
  void delivered(const Delivery& delivery, const store::OrderKeys& keys,
                 const std::string& destination, const Answer& answer) override;
  void died(const Delivery& delivery, const store::OrderKeys& keys, const std::string& destination,
            const Error& reason) override;
  void held(const Delivery& delivery, const std::string& destination, const Error& reason) override;

 private:
  store::Outcome outcome_of(const WorkItem& item, const store::OrderKeys& keys,
                            script::Conclusion&& conclusion);
  // What is at hand when the script has ended and is needed once its outcome is on disk.
  struct OutcomeContext {
    WorkQueue::Lane::Entry* entry = nullptr;
    std::optional<Reply> reply;
    std::string event;
    bool stalled = false;  // the store did not take it at once
  };
  void commit_outcome(const std::shared_ptr<store::Outcome>& outcome,
                      const std::shared_ptr<OutcomeContext>& context);
  void let_go(WorkQueue::Lane::Entry* entry, const store::Outcome& outcome);
  void outcome_committed(const store::Outcome& outcome, const OutcomeContext& context,
                         store::Position position);
  void count(const script::Conclusion& conclusion);
  // Nothing when none is wanted, or none is configured. Takes the reply, if that is what it says.
  std::optional<script::Send> application_ack(const WorkItem& item,
                                              script::Conclusion& conclusion) const;
  void log_what_stops(const store::Outcome& outcome) const;
  void tell_waiter(MessageId id, Fate fate);
  Result<void> restore_holds();
  Result<void> restore_held_work(const std::string& channel);
  Result<void> restore_holds_of(const std::string& channel, store::DeliveryState state);
  Result<void> restore_handlers();
  void handle_response(MessageId id, store::Position accepted, store::OrderKeys keys,
                       script::Response response);
  Result<void> each_message(
      store::MessageQuery query,
      const std::function<Result<void>(const store::MessageRow&)>& visit) const;
  // Calls `then` with whether an outcome of this message counts: at once, or where a person is
  // about to discard it, when that is decided, on that person's thread.
  using Counts = std::function<void(bool counts)>;
  void when_it_counts(MessageId id, Counts then);
  std::vector<Counts> take_aside(MessageId id);
  void nothing_comes_of(const OutcomeContext& context, const store::Outcome& outcome);
  Delivery delivery_again(const Chosen& chosen, store::Position queued) const;
  static std::size_t forget_at_destinations(
      std::map<std::shared_ptr<Destination>, std::vector<Destination::Name>> deliveries);
  void lift_where_nothing_goes(const store::Outcome& outcome);
  struct OpenMessage {
    std::uint32_t next_ordinal = 1;
    std::size_t open = 0;  // deliveries whose on_response has not run
  };
  OpenMessage open_in_store(MessageId id) const;
  std::uint32_t take_ordinals(const WorkItem& item, std::size_t deliveries);
  bool holds_keys() const { return config_.order.on_hold == config::OrderConfig::OnHold::hold_key; }

  const config::ChannelConfig config_;
  store::Store& store_;
  Scheduler& scheduler_;
  const OrderKeyMaker order_;
  ChannelMetrics metrics_;
  ScriptState state_;
  WorkQueue queue_;
  std::map<std::string, std::shared_ptr<Destination>> destinations_;

  mutable std::mutex program_mutex_;
  std::shared_ptr<const script::Program> program_;
  std::atomic<bool> wants_responses_{false};

  std::atomic<bool> paused_{false};
  std::string why_paused_;  // under program_mutex_
  std::atomic<bool> work_paused_{false}, intake_paused_{false}, disk_low_{false}, leaving_{false};
  std::function<void(MessageId)> on_stop_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::uint32_t> limits_in_a_row_{0};

  // The next ordinal of messages whose responses are still to be handled: an outcome on its way to
  // the index is not seen there.
  mutable std::mutex open_mutex_;
  struct Discard {  // of a message, decided or not
    bool decided = false;
    std::vector<Counts> concluded;
  };
  std::map<MessageId, Discard> discards_;
  std::unordered_map<MessageId, OpenMessage> open_;

  std::function<void()> parked_until_mapped_;
  boost::asio::any_io_executor background_;
  Turns turns_;

  std::mutex waiters_mutex_;
  std::unordered_map<MessageId, Waiter> waiters_;
};

}  // namespace cannula::pipeline
