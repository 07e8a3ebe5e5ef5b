#include "engine/pipeline/destination.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/suspended.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kReadAgain{60'000};  // after the store could not give a payload
// Longer than this nothing waits because of a time on record: the wall clock may have been wrong.
constexpr milliseconds kLongestRecordedWait = std::chrono::hours(1);
constexpr store::Timestamp kMinute = 60'000'000;
constexpr std::uint64_t kOneLine = 0x6C696E65;  // an order key, among hashes that it is none of

bool later(const auto& a, const auto& b) {
  return a.until > b.until;
}

RememberingSender* remembering(Sender* sender) {
  auto* remembering = dynamic_cast<RememberingSender*>(sender);
  return remembering != nullptr && remembering->remembers() ? remembering : nullptr;
}

}  // namespace

// What one attempt reads and writes of the memory of its destination.
class Destination::SenderMemory final : public Memory {
 public:
  SenderMemory(Destination& destination, const Lane::Entry& entry)
      : destination_(destination), entry_(entry) {}

  asio::awaitable<Result<std::string>> recall() override {
    co_await asio::post(destination_.blocking_, asio::use_awaitable);
    Result<std::string> recalled = destination_.recall();
    co_await asio::post(destination_.ports_.executor, asio::use_awaitable);
    co_return recalled;
  }

  // As an attempt that is about to begin: after a crash it is seen to have begun. The delivery
  // stays queued, as nothing has failed.
  asio::awaitable<Result<void>> remember(std::string text) override {
    Answer begun;
    begun.reason = Error("P329", "the attempt begins; on record with it: " + text);
    store::Attempt attempt =
        destination_.attempt_record(entry_, begun, store::DeliveryState::queued);
    attempt.wire_state.push_back({memory_key(destination_.config_.name), std::move(text)});
    auto written = std::make_shared<Result<void>>();
    auto submit = [this, written, &attempt](auto resume) {
      std::vector<store::Record> records;
      records.emplace_back(std::move(attempt));
      destination_.store_.submit(std::move(records),
                                 [written, resume = std::move(resume)](const auto& committed) {
                                   if (!committed) *written = committed.error();
                                   resume();
                                 });
    };
    co_await suspended_until(std::move(submit));
    if (*written) co_return Result<void>();
    co_return Error("P328", written->error().text());
  }

 private:
  Destination& destination_;
  const Lane::Entry& entry_;
};

// By this name or one that it had before; what was written under the present ones counts.
Result<std::string> Destination::recall() const {
  TRY(store_.commit({}));
  TRY(store_.catch_up_within(store::kPatience));
  const std::vector<std::string> names = config::names_of(config_);
  for (const std::string& channel : channels_) {
    const std::vector<store::StateWrite> remembered = TRY(store_.wire_state(channel));
    for (const std::string& name : names) {
      for (const store::StateWrite& write : remembered) {
        if (write.key == memory_key(name) && write.value) return *write.value;
      }
    }
  }
  return std::string();
}

// All deliveries of a sender that sends in one line have a key in common, beside their own.
void Destination::to_its_line(store::OrderKeys& keys) const {
  const bool there = std::find(keys.begin(), keys.end(), kOneLine) != keys.end();
  if (line_ != nullptr && !there) keys.push_back(kOneLine);
}

Destination::Destination(std::vector<std::string> channels, config::DestinationConfig config,
                         bool hold_key, store::Store& store, DeliveryObserver& observer,
                         Ports ports, asio::any_io_executor blocking,
                         std::unique_ptr<Sender> sender,
                         std::shared_ptr<DestinationMetrics> metrics, const WallClock& clock)
    : channels_(std::move(channels)),
      config_(std::move(config)),
      hold_key_(hold_key),
      store_(store),
      observer_(observer),
      ports_(std::move(ports)),
      sender_(std::move(sender)),
      line_(remembering(sender_.get())),
      metrics_(std::move(metrics)),
      blocking_(std::move(blocking)),
      clock_(clock),
      timer_(ports_.executor),
      idle_(ports_.executor),
      breaker_(config_.retry),
      pacer_(config_.rate_limit),
      random_(std::random_device{}()) {}

Destination::~Destination() = default;

void Destination::start() {
  {
    std::scoped_lock lock(arriving_mutex_);
    index_needed_at_ = store_.end();
  }
  asio::post(ports_.executor, [self = shared_from_this()] {
    if (self->stopping_) return;
    // Not kept alive by its own sender, which lives no longer.
    self->sender_->start([destination = self.get()] { destination->reached(); });
    self->dispatch();
  });
}

void Destination::reached() {
  if (stopping_) return;
  breaker_.answered();
  breaker_.try_now();
  wake_sleepers(true);
  dispatch();
}

asio::awaitable<void> Destination::stop(milliseconds grace) {
  stopping_ = true;
  timer_.cancel();
  const auto until = steady_clock::now() + grace;
  while (under_way_ > 0 && steady_clock::now() < until &&
         breaker_.state(steady_clock::now()) == Breaker::State::closed) {
    idle_.expires_at(until);
    boost::system::error_code woken;
    co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  cutting_off_ = true;
  co_await sender_->stop();
  while (under_way_ > 0 || refilling_) {
    idle_.expires_after(std::chrono::hours(1));
    boost::system::error_code woken;
    co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
}

void Destination::pause(bool paused) {
  paused_ = paused;
  std::scoped_lock lock(arriving_mutex_);
  wake();
}

Standing Destination::standing() const {
  std::scoped_lock lock(standing_mutex_);
  Standing standing = standing_;
  const auto now = steady_clock::now();
  standing.quiet = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(quiet_until_ - now));
  if (standing.breaker == Breaker::State::open && standing.quiet.count() == 0)
    standing.breaker = Breaker::State::half_open;
  standing.paused = paused_;
  standing.in_memory = in_memory();
  return standing;
}

HeldBack Destination::held_back() const {
  HeldBack held{lanes_.keys_held_back(), lanes_.held_back()};
  if (held.messages == 0) return held;
  held.holders = oldest_holders(held_, [this](const std::vector<store::OrderKeys>& sets) {
    std::size_t count = 0;
    for (const store::OrderKeys& keys : sets) count += lanes_.held_back_of(keys);
    return count;
  });
  return held;
}

void Destination::note_standing() {
  const auto now = steady_clock::now();
  const bool closed = window_closed();
  HeldBack held = held_back();
  std::scoped_lock lock(standing_mutex_);
  standing_.breaker = breaker_.state(now);
  standing_.failures_in_a_row = breaker_.failures_in_a_row();
  if (standing_.failures_in_a_row == 0) standing_.last_failure.clear();
  standing_.window_closed = closed;
  standing_.under_way = under_way_;
  standing_.held_back = std::move(held);
  quiet_until_ = breaker_.quiet_until();
}

bool Destination::window_closed() const {
  return config_.window && !config_.window->open_at(clock_.now());
}

bool Destination::may_dispatch() const {
  if (stopping_ || paused_) return false;
  const auto now = steady_clock::now();
  return under_way_ < breaker_.allowed(now, sender_->concurrency()) && now >= pacer_.next();
}

// After failures what has been tried least goes first: it may be a few messages alone that get no
// answer, and these must not be all that the other side is asked with.
Destination::Lane::Entry* Destination::next_to_try(bool stat_only) {
  if (!breaker_.in_doubt(sender_->concurrency())) return lanes_.next(stat_only);
  return lanes_.next_by([](const Delivery& delivery) { return delivery.attempts; }, stat_only);
}

void Destination::dispatch() {
  if (stopping_) return;
  const bool stat_only = window_closed();
  while (may_dispatch()) {
    Lane::Entry* entry = next_to_try(stat_only);
    if (!entry) break;
    if (entry->item.not_before != 0) {
      const store::Timestamp wait = entry->item.not_before - clock_.now();
      entry->item.not_before = 0;
      if (wait > 0) {
        const milliseconds most = std::max(config_.retry.max, kLongestRecordedWait);
        sleep(entry, std::min(milliseconds(wait / 1000 + 1), most));
        continue;
      }
    }
    ++under_way_;
    pacer_.went(steady_clock::now());
    asio::co_spawn(ports_.executor, attempt(entry),
                   [self = shared_from_this()](std::exception_ptr failure) {
                     if (failure) std::rethrow_exception(failure);
                   });
  }
  refill();
  fetch_stat();
}

// Not written out in the coroutine: g++ 12 copies what is initialized with braces there byte by
// byte (PR 102489).
Parcel Destination::parcel_of(const Delivery& delivery) const {
  return {delivery.id,
          delivery.id.text() + "-" + delivery.asked_as + "-" + std::to_string(delivery.ordinal),
          delivery.payload,
          delivery.event,
          channel_,
          delivery.attributes,
          delivery.before,
          delivery.among};
}

asio::awaitable<Result<void>> Destination::load_payload(Delivery& delivery) {
  co_await asio::post(blocking_, asio::use_awaitable);
  Result<LoadedDelivery> loaded =
      load_delivery(store_, delivery.id, delivery.ordinal, delivery.outcome, delivery.queued);
  co_await asio::post(ports_.executor, asio::use_awaitable);
  if (!loaded) co_return loaded.error();
  delivery.payload = std::move(loaded->payload);
  delivery.attributes = std::move(loaded->attributes);
  delivery.before = std::move(loaded->before);
  delivery.among = std::move(loaded->among);
  delivery.event = std::move(loaded->event);
  delivery.accepted = loaded->accepted;
  co_return Result<void>();
}

// A sender that throws has a bug or no memory: neither may take the engine down with it.
asio::awaitable<Remembered> Destination::deliver(Lane::Entry* entry, const Parcel& parcel) {
  Remembered ended;
  try {
    if (line_ != nullptr) {
      SenderMemory memory(*this, *entry);
      ended = co_await line_->deliver_remembering(parcel, memory);
    } else {
      ended.answer = co_await sender_->deliver(parcel);
    }
    co_return ended;
  } catch (const std::exception& failure) {
    ended.answer.reason = Error("P310", std::string("the transport failed: ") + failure.what());
  }
  co_return ended;
}

asio::awaitable<void> Destination::attempt(Lane::Entry* entry) {
  Remembered ended;
  Result<void> loaded;
  bool waits = false;  // to be read: nothing was tried
  if (!entry->item.first_tried) entry->item.first_tried = steady_clock::now();
  if (!entry->item.payload) loaded = co_await load_payload(entry->item);
  // Who discarded it meanwhile was told that no attempt would begin.
  const bool discarded = discarded_.contains({entry->item.id, entry->item.ordinal});
  if (loaded && !discarded) {
    const Parcel parcel = parcel_of(entry->item);
    const auto begun = steady_clock::now();
    ended = co_await deliver(entry, parcel);
    metrics_->deliver.record(steady_clock::now() - begun);
    unread_ = false;
  } else if (!loaded && may_be_read_later(loaded.error())) {
    waits = true;
  } else if (!loaded) {  // ours, whatever the code: it says nothing of the other side
    ended.answer.reason = Error("P301", loaded.error().text());
  }
  --under_way_;
  if (discarded) {
    finish(entry);
  } else if (waits) {
    wait_to_be_read(entry, loaded.error());
  } else {
    settle(entry, ended);
  }
  if (stopping_) {
    idle_.cancel();
  } else {
    dispatch();
    arm_timer();
  }
}

// No attempt was made, so none is recorded, and the time does not count: it is never given up for
// this. What follows of its keys waits with it.
void Destination::wait_to_be_read(Lane::Entry* entry, const Error& why) {
  entry->item.first_tried.reset();
  if (stopping_) return lanes_.put_back(entry);
  if (!std::exchange(unread_, true)) {
    ports_.report.log(
        Report::Level::error,
        fmt::format("message {} waits at destination {}, because it cannot be read: {}. It is "
                    "looked for again each minute; what else cannot be read waits too",
                    entry->item.id.text(), config_.name, why.text()));
  }
  sleep(entry, kReadAgain);
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
  breaker_.try_now();
  sleeper->entry->item.not_before = 0;
  lanes_.put_back(sleeper->entry);
  sleepers_.erase(sleeper);
  std::make_heap(sleepers_.begin(), sleepers_.end(),
                 [](const auto& a, const auto& b) { return later(a, b); });
}

// When something may change by time alone: a sleeper wakes, the breaker lets a probe go, the rate
// has room, a window opens. The window is looked at once a minute, so that it opens in time however
// the wall clock jumps.
steady_clock::time_point Destination::next_look() const {
  auto next = steady_clock::time_point::max();
  const auto now = steady_clock::now();
  if (!sleepers_.empty()) next = std::max(sleepers_.front().until, breaker_.quiet_until());
  if (paused_ || !lanes_.has_ready()) return next;
  const bool closed = window_closed();
  if (lanes_.has_ready(closed)) {
    const auto due = std::max(breaker_.quiet_until(), pacer_.next());
    if (due > now) next = std::min(next, due);
  }
  if (closed) {
    const store::Timestamp into_minute = clock_.now() % kMinute;
    next = std::min(next, now + std::chrono::microseconds(kMinute - into_minute));
  }
  return next;
}

void Destination::arm_timer() {
  note_standing();
  if (stopping_) return;
  const steady_clock::time_point next = next_look();
  if (next == steady_clock::time_point::max()) return;
  timer_.expires_at(next);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (cancelled || self->stopping_) return;
    self->wake_sleepers(false);
    self->dispatch();
    self->arm_timer();
  });
}

}  // namespace cannula::pipeline
