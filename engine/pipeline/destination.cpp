#include "engine/pipeline/destination.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "engine/pipeline/backoff.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/delivery_loader.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kRefillBatch = 512;
constexpr std::uint32_t kFailuresUntilAway = 5;
constexpr milliseconds kRecordAgain{1000};  // after the store could not take an attempt

std::size_t size_of(const Delivery& delivery) {
  return delivery.payload ? delivery.payload->size() : 0;
}

bool later(const auto& a, const auto& b) {
  return a.until > b.until;
}

}  // namespace

Destination::Destination(std::string channel, config::DestinationConfig config, bool hold_key,
                         store::Store& store, DeliveryObserver& observer, Ports ports,
                         asio::any_io_executor blocking, std::unique_ptr<Sender> sender,
                         std::shared_ptr<DestinationMetrics> metrics)
    : channel_(std::move(channel)),
      config_(std::move(config)),
      hold_key_(hold_key),
      store_(store),
      observer_(observer),
      ports_(std::move(ports)),
      sender_(std::move(sender)),
      metrics_(std::move(metrics)),
      blocking_(std::move(blocking)),
      timer_(ports_.executor),
      idle_(ports_.executor),
      random_(std::random_device{}()) {}

Destination::~Destination() = default;

void Destination::start() {
  asio::post(ports_.executor, [self = shared_from_this()] {
    if (self->stopping_) return;
    // Not kept alive by its own sender, which lives no longer.
    self->sender_->start([destination = self.get()] { destination->reached(); });
    self->dispatch();
  });
}

void Destination::reached() {
  if (stopping_) return;
  failures_in_a_row_ = 0;
  closed_until_ = {};
  away_ = false;
  wake_sleepers(true);
  dispatch();
}

asio::awaitable<void> Destination::stop() {
  stopping_ = true;
  timer_.cancel();
  co_await sender_->stop();
  while (under_way_ > 0 || refilling_) {
    idle_.expires_after(std::chrono::hours(1));
    boost::system::error_code woken;
    co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
}

void Destination::hold(MessageId id, const store::OrderKeys& keys) {
  held_[id].push_back(keys);
  lanes_.hold(keys);
}

void Destination::lift(MessageId id) {
  std::scoped_lock lock(arriving_mutex_);
  lifted_.push_back(id);
  wake();
}

void Destination::lift_holds(MessageId id) {
  auto held = held_.find(id);
  if (held == held_.end()) return;
  for (const store::OrderKeys& keys : held->second) lanes_.unhold(keys);
  held_.erase(held);
}

void Destination::enter_memory(Delivery& delivery) {
  delivery.counted_bytes = size_of(delivery);
  ++items_;
  bytes_ += *delivery.counted_bytes;
}

void Destination::leave_memory(Delivery& delivery) {
  if (!delivery.counted_bytes) return;
  --items_;
  bytes_ -= *delivery.counted_bytes;
  delivery.counted_bytes.reset();
}

void Destination::arrive(Delivery delivery, store::OrderKeys keys) {
  std::scoped_lock lock(arriving_mutex_);
  if (on_disk_ || items_ >= window_.items || bytes_ >= window_.bytes) {
    on_disk_ = true;
    last_left_ = delivery.queued;
  } else {
    last_taken_in_ = delivery.queued;
    last_taken_in_ordinal_ = delivery.ordinal;
    enter_memory(delivery);
    arriving_.push_back({std::move(delivery), std::move(keys), false});
  }
  wake();
}

void Destination::resend(Delivery delivery, store::OrderKeys keys) {
  std::scoped_lock lock(arriving_mutex_);
  if (!resent_.emplace(delivery.id, delivery.ordinal).second) return;
  enter_memory(delivery);
  arriving_.push_back({std::move(delivery), std::move(keys), true});
  wake();
}

void Destination::forget(MessageId id, std::uint32_t ordinal) {
  std::scoped_lock lock(arriving_mutex_);
  forgotten_.emplace_back(id, ordinal);
  wake();
}

void Destination::try_now(MessageId id, std::uint32_t ordinal) {
  std::scoped_lock lock(arriving_mutex_);
  hurried_.emplace_back(id, ordinal);
  wake();
}

// With arriving_mutex_ held: one visit to the executor serves all that arrived meanwhile.
void Destination::wake() {
  if (wake_posted_) return;
  wake_posted_ = true;
  asio::post(ports_.executor, [self = shared_from_this()] {
    self->take_in();
    self->dispatch();
    self->arm_timer();
  });
}

void Destination::take_in() {
  std::deque<Arriving> arriving;
  std::vector<Name> forgotten, hurried;
  std::vector<Lane::Entry*> recorded;
  std::vector<MessageId> lifted;
  {
    std::scoped_lock lock(arriving_mutex_);
    wake_posted_ = false;
    arriving.swap(arriving_);
    forgotten.swap(forgotten_);
    hurried.swap(hurried_);
    recorded.swap(recorded_);
    lifted.swap(lifted_);
  }
  for (Lane::Entry* entry : recorded) finish(entry);
  for (Arriving& one : arriving) add(std::move(one));
  for (const auto& [id, ordinal] : hurried) wake_sleeper(id, ordinal);
  for (MessageId id : lifted) lift_holds(id);
  if (!forgotten.empty()) forget_some(forgotten);
}

void Destination::forget_some(const std::vector<Name>& forgotten) {
  const std::set<Name> names(forgotten.begin(), forgotten.end());
  const auto unwanted = [&](const Delivery& delivery) {
    return names.contains({delivery.id, delivery.ordinal});
  };
  // Sleepers are out of the lanes: they are put back first.
  for (Sleeper& sleeper : sleepers_) {
    if (!unwanted(sleeper.entry->item)) continue;
    lanes_.put_back(sleeper.entry);
    sleeper.entry = nullptr;
  }
  std::erase_if(sleepers_, [](const Sleeper& sleeper) { return sleeper.entry == nullptr; });
  std::make_heap(sleepers_.begin(), sleepers_.end(),
                 [](const auto& a, const auto& b) { return later(a, b); });
  // What is under way, or on its way from disk, is met again by settle_retry() or
  // take_in_refilled().
  discarded_.insert(names.begin(), names.end());
  lanes_.remove_if([&](Delivery& delivery) {
    if (!unwanted(delivery)) return false;
    leave_memory(delivery);
    discarded_.erase({delivery.id, delivery.ordinal});
    return true;
  });
  for (const Name& name : forgotten) lift_holds(name.first);
}

// What waits behind a hold may wait for days: it leaves the window, so that a held key does not
// fill it. What a person sent again goes before the others of its keys, and passes the hold that
// its own message has on them.
void Destination::add(Arriving arriving) {
  Delivery& delivery = arriving.delivery;
  const bool first = arriving.first || held_.contains(delivery.id);
  const bool stat = delivery.stat;
  if (arriving.first) discarded_.erase({delivery.id, delivery.ordinal});
  if (!first && lanes_.held(arriving.keys)) {
    leave_memory(delivery);
    delivery.payload.reset();
  }
  if (first) {
    lanes_.add_first(std::move(delivery), std::move(arriving.keys), stat);
  } else {
    lanes_.add(std::move(delivery), std::move(arriving.keys), stat);
  }
}

bool Destination::may_dispatch() const {
  if (stopping_) return false;
  if (!away()) return under_way_ < sender_->concurrency();
  return under_way_ == 0 && steady_clock::now() >= closed_until_;  // one probe at a time
}

void Destination::dispatch() {
  if (stopping_) return;
  while (may_dispatch()) {
    Lane::Entry* entry = lanes_.next();
    if (!entry) break;
    const store::Timestamp wait = entry->item.not_before - now_microseconds();
    if (wait > 0) {
      sleep(entry, milliseconds(wait / 1000 + 1));
      continue;
    }
    ++under_way_;
    asio::co_spawn(ports_.executor, attempt(entry),
                   [self = shared_from_this()](std::exception_ptr failure) {
                     if (failure) std::rethrow_exception(failure);
                   });
  }
  refill();
}

// Not written out in the coroutine: g++ 12 copies what is initialized with braces there byte by
// byte (PR 102489).
Parcel Destination::parcel_of(const Delivery& delivery) const {
  return {delivery.id,
          delivery.id.text() + "-" + config_.name + "-" + std::to_string(delivery.ordinal),
          delivery.payload,
          delivery.event,
          channel_,
          delivery.attributes};
}

asio::awaitable<Result<void>> Destination::load_payload(Delivery& delivery) {
  co_await asio::post(blocking_, asio::use_awaitable);
  Result<LoadedDelivery> loaded =
      load_delivery(store_, delivery.id, delivery.ordinal, delivery.outcome);
  co_await asio::post(ports_.executor, asio::use_awaitable);
  if (!loaded) co_return loaded.error();
  delivery.payload = std::move(loaded->payload);
  delivery.attributes = std::move(loaded->attributes);
  delivery.event = std::move(loaded->event);
  co_return Result<void>();
}

// A sender that throws has a bug or no memory: neither may take the engine down with it.
asio::awaitable<Answer> Destination::deliver(const Parcel& parcel) {
  Answer answer;
  try {
    co_return co_await sender_->deliver(parcel);
  } catch (const std::exception& failure) {
    answer.reason = Error("P310", std::string("the transport failed: ") + failure.what());
  }
  co_return answer;
}

asio::awaitable<void> Destination::attempt(Lane::Entry* entry) {
  Answer answer;
  Result<void> loaded;
  if (!entry->item.payload) loaded = co_await load_payload(entry->item);
  if (loaded) {
    const Parcel parcel = parcel_of(entry->item);
    const auto begun = steady_clock::now();
    answer = co_await deliver(parcel);
    metrics_->deliver.record(steady_clock::now() - begun);
  } else {
    answer.reason = loaded.error();
  }
  --under_way_;
  settle(entry, answer);
  if (stopping_) {
    idle_.cancel();
  } else {
    dispatch();
    arm_timer();
  }
}

void Destination::settle(Lane::Entry* entry, const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::delivered:
      return settle_delivered(entry, answer);
    case Answer::Kind::refused:
      return settle_dead(entry, answer);
    case Answer::Kind::retry:
      if (stopping_) return lanes_.put_back(entry);  // our own doing, not an attempt that failed
      return settle_retry(entry, answer);
  }
}

store::Attempt Destination::attempt_record(const Lane::Entry& entry, const Answer& answer,
                                           store::DeliveryState state) const {
  store::Attempt attempt;
  attempt.id = entry.item.id;
  attempt.channel = channel_;
  attempt.ordinal = entry.item.ordinal;
  attempt.destination = config_.name;
  attempt.at = now_microseconds();
  attempt.number = entry.item.attempts + 1;
  attempt.state = state;
  if (answer.kind != Answer::Kind::delivered) {
    attempt.code = answer.reason.code;
    attempt.reason = answer.reason.message;
  }
  attempt.response = answer.response;
  attempt.attributes = answer.attributes;
  return attempt;
}

// Offered until the store has it. Were it lost in a crash, the delivery would be made again with
// the same key; so the next one of its order keys goes out only after it, and what is repeated
// never follows something later. A record that only says "not yet" (`committed` is empty) is not
// offered again: it could come after the one that says "delivered".
void Destination::commit(store::Attempt attempt, std::function<void()> committed) {
  auto shared = std::make_shared<store::Attempt>(std::move(attempt));
  std::vector<store::Record> records;
  records.emplace_back(*shared);
  auto done = [self = shared_from_this(), shared, committed = std::move(committed)](
                  Result<std::vector<store::Committed>> result) mutable {
    if (!committed) return;
    if (result) return committed();
    asio::post(self->ports_.executor, [self, shared, committed = std::move(committed)]() mutable {
      if (self->stopping_) return;
      auto again = std::make_shared<asio::steady_timer>(self->ports_.executor, kRecordAgain);
      again->async_wait(
          [self, shared, again, committed = std::move(committed)](auto error) mutable {
            if (!error && !self->stopping_) self->commit(std::move(*shared), std::move(committed));
          });
    });
  };
  store_.submit(std::move(records), std::move(done));
}

void Destination::finish(Lane::Entry* entry) {
  leave_memory(entry->item);
  const Name name(entry->item.id, entry->item.ordinal);
  discarded_.erase(name);
  {
    std::scoped_lock lock(arriving_mutex_);
    resent_.erase(name);
  }
  lanes_.release(entry);
}

void Destination::settle_delivered(Lane::Entry* entry, const Answer& answer) {
  ++metrics_->delivered;
  store::Attempt attempt = attempt_record(*entry, answer, store::DeliveryState::delivered);
  attempt.wants_handler = observer_.wants_responses();
  commit(std::move(attempt), [self = shared_from_this(), entry, answer] {
    self->observer_.delivered(entry->item, entry->keys(), self->config_.name, answer);
    self->recorded(entry);
  });
  lift_holds(entry->item.id);
  failures_in_a_row_ = 0;
  if (away_.exchange(false)) {
    ports_.report.log(Report::Level::info,
                      fmt::format("destination {} answers again", config_.name));
    wake_sleepers(true);
  }
}

void Destination::settle_dead(Lane::Entry* entry, const Answer& answer) {
  ++metrics_->dead;
  if (answer.kind == Answer::Kind::refused) {  // it answers, whatever it says
    failures_in_a_row_ = 0;
    away_ = false;
  }
  // The other side's own words may name a patient: they are kept with the message, not in the log.
  ports_.report.log(
      Report::Level::warning,
      fmt::format("message {} is dead at destination {} [{}]; see `cannula msg show {}`",
                  entry->item.id.text(), config_.name, answer.reason.code, entry->item.id.text()));
  if (hold_key_) hold(entry->item.id, entry->keys());
  commit(attempt_record(*entry, answer, store::DeliveryState::dead),
         [self = shared_from_this(), entry, reason = answer.reason] {
           self->observer_.died(entry->item, entry->keys(), self->config_.name, reason);
           self->recorded(entry);
         });
}

// On the journal's thread: the executor lets the entry's keys go on.
void Destination::recorded(Lane::Entry* entry) {
  std::scoped_lock lock(arriving_mutex_);
  recorded_.push_back(entry);
  wake();
}

void Destination::settle_retry(Lane::Entry* entry, const Answer& answer) {
  if (discarded_.contains({entry->item.id, entry->item.ordinal})) return finish(entry);
  const store::Timestamp now = now_microseconds();
  if (now - entry->item.first_queued_at >= config_.retry.give_up_after.count() * 1000) {
    Answer given_up = answer;
    given_up.reason.message =
        fmt::format("given up after {} attempts in {}: {}", entry->item.attempts + 1,
                    duration_text(config_.retry.give_up_after), answer.reason.message);
    given_up.reason.code = "P302";
    return settle_dead(entry, given_up);
  }
  ++metrics_->retried;
  ++failures_in_a_row_;
  milliseconds wait =
      backoff(entry->item.attempts + 1, config_.retry.first, config_.retry.max, random_);
  if (answer.retry_after) wait = std::max(wait, *answer.retry_after);
  if (failures_in_a_row_ >= kFailuresUntilAway) {
    if (!away_.exchange(true)) {
      ports_.report.log(
          Report::Level::warning,
          fmt::format("destination {} is away ({}); trying again with growing pauses", config_.name,
                      answer.response ? answer.reason.code : answer.reason.text()));
    }
    closed_until_ = steady_clock::now() + backoff(failures_in_a_row_ - kFailuresUntilAway + 1,
                                                  config_.retry.first, config_.retry.max, random_);
  }
  store::Attempt attempt = attempt_record(*entry, answer, store::DeliveryState::retrying);
  attempt.next_at = now + wait.count() * 1000;
  commit(std::move(attempt), nullptr);
  ++entry->item.attempts;
  sleep(entry, wait);
}

// The entry stays out of its lanes' hands and at their head, so that nothing of its keys overtakes
// it.
void Destination::sleep(Lane::Entry* entry, milliseconds time) {
  sleepers_.push_back({steady_clock::now() + time, entry});
  std::push_heap(sleepers_.begin(), sleepers_.end(),
                 [](const auto& a, const auto& b) { return later(a, b); });
  arm_timer();
}

void Destination::wake_sleepers(bool all) {
  const auto now = steady_clock::now();
  while (!sleepers_.empty() && (all || sleepers_.front().until <= now)) {
    std::pop_heap(sleepers_.begin(), sleepers_.end(),
                  [](const auto& a, const auto& b) { return later(a, b); });
    Lane::Entry* entry = sleepers_.back().entry;
    sleepers_.pop_back();
    entry->item.not_before = 0;
    lanes_.put_back(entry);
  }
}

void Destination::wake_sleeper(MessageId id, std::uint32_t ordinal) {
  auto sleeper = std::find_if(sleepers_.begin(), sleepers_.end(), [&](const Sleeper& one) {
    return one.entry->item.id == id && one.entry->item.ordinal == ordinal;
  });
  if (sleeper == sleepers_.end()) return;
  closed_until_ = steady_clock::now();  // a person says that the other side is there
  sleeper->entry->item.not_before = 0;
  lanes_.put_back(sleeper->entry);
  sleepers_.erase(sleeper);
  std::make_heap(sleepers_.begin(), sleepers_.end(),
                 [](const auto& a, const auto& b) { return later(a, b); });
}

// For the first sleeper; while the other side is away, not before the next probe, and for that when
// something is ready.
void Destination::arm_timer() {
  if (stopping_) return;
  steady_clock::time_point next;
  if (away() && under_way_ == 0 && lanes_.has_ready()) {
    next = closed_until_;
  } else if (!sleepers_.empty()) {
    next = away() ? std::max(sleepers_.front().until, closed_until_) : sleepers_.front().until;
  } else {
    return;
  }
  timer_.expires_at(next);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (cancelled || self->stopping_) return;
    self->wake_sleepers(false);
    self->dispatch();
    self->arm_timer();
  });
}

// True when there is room for more in memory; more than usual while nothing of what is there can
// go.
bool Destination::has_room() const {
  const bool nothing_goes = under_way_ == 0 && !lanes_.has_ready();
  const std::size_t times = nothing_goes ? 4 : 1;
  return items_ <= times * window_.items / 2 && bytes_ <= times * window_.bytes / 2;
}

void Destination::refill() {
  store::Position after = 0;
  std::uint32_t after_ordinal = 0;
  {
    std::scoped_lock lock(arriving_mutex_);
    if (!on_disk_ || refilling_ || !has_room()) return;
    after = last_taken_in_;
    after_ordinal = last_taken_in_ordinal_;
  }
  refilling_ = true;
  asio::post(blocking_, [self = shared_from_this(), after, after_ordinal] {
    const store::Position complete_to = self->store_.indexed_up_to();
    auto rows = self->store_.waiting_deliveries(self->channel_, self->config_.name, after,
                                                after_ordinal, kRefillBatch);
    std::vector<Arriving> arriving;
    bool all_read = rows.has_value() && rows->size() < kRefillBatch;
    std::size_t bytes = 0;
    if (rows) {
      for (const auto& row : *rows) {
        if (bytes >= self->window_.bytes / 2) {
          all_read = false;
          break;
        }
        auto loaded = load_delivery(self->store_, row.id, row.ordinal, row.outcome_position);
        if (!loaded) {
          self->ports_.report.log(Report::Level::error, loaded.error().text());
          if (arriving.empty()) continue;
          all_read =
              false;  // perhaps a passing trouble: it is asked for again, unless it is the first
          break;
        }
        Delivery delivery;
        delivery.id = row.id;
        delivery.ordinal = row.ordinal;
        delivery.queued = row.queued;
        delivery.outcome = row.outcome_position;
        delivery.payload = std::move(loaded->payload);
        delivery.attributes = std::move(loaded->attributes);
        delivery.accepted = loaded->accepted;
        delivery.event = std::move(loaded->event);
        delivery.attempts = row.attempts;
        delivery.first_queued_at = loaded->queued_at;
        delivery.not_before = row.state == store::DeliveryState::retrying ? row.next_at : 0;
        delivery.stat = row.priority > 0;
        bytes += size_of(delivery);
        arriving.push_back({std::move(delivery), row.order_keys, false});
      }
    } else {
      self->ports_.report.log(Report::Level::error, rows.error().text());
    }
    asio::post(self->ports_.executor,
               [self, arriving = std::move(arriving), all_read, complete_to]() mutable {
                 self->take_in_refilled(std::move(arriving), all_read, complete_to);
               });
  });
}

void Destination::take_in_refilled(std::vector<Arriving> arriving, bool all_read,
                                   store::Position complete_to) {
  bool more = false;
  {
    std::scoped_lock lock(arriving_mutex_);
    refilling_ = false;
    std::erase_if(arriving, [this](Arriving& one) {
      last_taken_in_ = one.delivery.queued;
      last_taken_in_ordinal_ = one.delivery.ordinal;
      const Name name(one.delivery.id, one.delivery.ordinal);
      if (resent_.contains(name) || discarded_.contains(name)) return true;
      enter_memory(one.delivery);
      return false;
    });
    if (all_read && (last_left_ == 0 || last_left_ < complete_to)) on_disk_ = false;
    more = on_disk_;
  }
  for (Arriving& one : arriving) add(std::move(one));
  if (stopping_) {
    idle_.cancel();
    return;
  }
  if (more && arriving.empty()) {  // the index has not come so far yet
    auto again = std::make_shared<asio::steady_timer>(ports_.executor, milliseconds(10));
    again->async_wait([self = shared_from_this(), again](auto) { self->dispatch(); });
    return;
  }
  dispatch();
  arm_timer();
}

}  // namespace cannula::pipeline
