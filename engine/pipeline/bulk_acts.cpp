#include "engine/pipeline/bulk_acts.h"

#include <fmt/format.h>
#include <pthread.h>

#include "engine/pipeline/clock.h"

namespace cannula::pipeline {
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kAtOnce = 500;
constexpr std::size_t kMostRunning = 4;
constexpr std::size_t kMostRemembered = 50;
constexpr std::chrono::milliseconds kRoomAgain{20};

// A fifth of a second's worth, so that a rate is kept evenly and a cancelling soon seen.
std::size_t step_of(std::uint32_t rate) {
  return rate == 0 ? kAtOnce : std::clamp<std::size_t>(rate / 5, 1, kAtOnce);
}

bool any_script(std::span<const store::Letter> letters) {
  return std::any_of(letters.begin(), letters.end(),
                     [](const store::Letter& letter) { return letter.ordinal == 0; });
}

Error unknown(std::uint32_t number) {
  return Error{"P321", fmt::format("there is no replay or discard number {}", number),
               "`cannula msg replays` lists them", std::nullopt};
}

}  // namespace

struct BulkActs::Running {
  BulkProgress progress;  // under the mutex
  std::vector<store::Letter> letters;
  bool cancelled = false;
  std::thread thread;
};

std::string_view name_of(BulkOrder::Act act) {
  return act == BulkOrder::Act::resend ? "replay" : "discard";
}

std::string_view name_of(BulkProgress::State state) {
  switch (state) {
    case BulkProgress::State::running:
      return "running";
    case BulkProgress::State::done:
      return "done";
    case BulkProgress::State::cancelled:
      return "cancelled";
    case BulkProgress::State::failed:
      return "failed";
  }
  return "";
}

std::string subject_of(const BulkProgress& progress) {
  const store::LetterQuery& of = progress.order.of;
  std::string what;
  const auto add = [&](std::string_view text) {
    what += what.empty() ? "" : ", ";
    what += text;
  };
  for (const auto state : of.deliveries) add(store::name_of(state));
  if (of.deliveries.empty()) {
    for (const auto state : of.messages) add(store::name_of(state));
  }
  if (!of.channel.empty()) what += " of " + of.channel;
  if (!of.destination.empty()) what += " to " + of.destination;
  if (!of.code.empty()) what += ", " + of.code;
  if (of.place && !of.place->empty()) what += " at " + *of.place;
  return fmt::format("{} {}: {}", name_of(progress.order.act), progress.number, what);
}

std::string describe(const BulkProgress& progress) {
  std::string text =
      fmt::format("{}: {} of {}", subject_of(progress), progress.done, progress.total);
  if (progress.passed_over > 0) text += fmt::format(", {} passed over", progress.passed_over);
  if (progress.state != BulkProgress::State::running)
    text += fmt::format(", {}", name_of(progress.state));
  return text;
}

BulkActs::~BulkActs() {
  stop();
}

Result<BulkProgress> BulkActs::begin(BulkOrder order) {
  join_ended();
  auto running = std::make_shared<Running>();
  running->letters = TRY(hands_.find(order.of));
  std::unique_lock lock(mutex_);
  const auto busy = std::count_if(acts_.begin(), acts_.end(), [](const auto& one) {
    return one->progress.state == BulkProgress::State::running;
  });
  if (stopped_ || static_cast<std::size_t>(busy) >= kMostRunning) {
    return Error{"P320", fmt::format("{} replays or discards are running", busy),
                 "wait for one, or cancel it with `cannula msg replay-cancel`", std::nullopt};
  }
  running->progress.number = ++last_number_;
  running->progress.order = std::move(order);
  running->progress.total = running->letters.size();
  running->progress.began = now_microseconds();
  const BulkProgress begun = running->progress;
  if (hands_.began) {
    lock.unlock();
    TRY(hands_.began(begun));
    lock.lock();
    if (stopped_) return Error{"P320", "the engine is stopping", "", std::nullopt};
  }
  acts_.push_back(running);
  running->thread = std::thread([this, running] { run(running); });
  return begun;
}

// False: it was cancelled meanwhile.
bool BulkActs::pause(Running& running, steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_until(lock, until, [&] { return running.cancelled; });
}

void BulkActs::run(const std::shared_ptr<Running>& running) {
  ::pthread_setname_np(::pthread_self(), "bulk");
  using State = BulkProgress::State;
  const BulkOrder order = running->progress.order;
  const std::size_t step = step_of(order.rate);
  auto next = steady_clock::now();
  State end = State::done;
  std::optional<Error> failure;
  std::span<const store::Letter> left = running->letters;
  while (!left.empty() && end == State::done) {
    if (!pause(*running, next)) {
      end = State::cancelled;
      break;
    }
    const auto some = left.first(std::min(step, left.size()));
    if (hands_.has_room && order.act == BulkOrder::Act::resend && any_script(some) &&
        !hands_.has_room(order)) {
      next = steady_clock::now() + kRoomAgain;
      continue;
    }
    const Result<BulkDone> done = hands_.act(order, some);
    if (!done) {
      failure = done.error();
      end = State::failed;
      break;
    }
    left = left.subspan(some.size());
    if (order.rate != 0) {
      next = std::max(next, steady_clock::now() - std::chrono::seconds(1)) +
             std::chrono::microseconds(some.size() * 1'000'000 / order.rate);
    }
    std::scoped_lock lock(mutex_);
    running->progress.done += done->done;
    running->progress.passed_over += done->passed_over;
    running->progress.under_way += done->under_way;
  }
  BulkProgress ended;
  {
    std::scoped_lock lock(mutex_);
    running->letters = {};
    ended = running->progress;
  }
  ended.state = end;
  ended.failure = std::move(failure);
  ended.ended = now_microseconds();
  if (hands_.ended) hands_.ended(ended);
  std::scoped_lock lock(mutex_);
  running->progress = std::move(ended);
  changed_.notify_all();
}

std::shared_ptr<BulkActs::Running> BulkActs::found(std::uint32_t number) const {
  const auto place = std::find_if(acts_.begin(), acts_.end(), [number](const auto& one) {
    return one->progress.number == number;
  });
  return place == acts_.end() ? nullptr : *place;
}

Result<BulkProgress> BulkActs::cancel(std::uint32_t number, const std::string& by) {
  {
    std::scoped_lock lock(mutex_);
    const auto running = found(number);
    if (!running) return unknown(number);
    if (running->progress.state == BulkProgress::State::running && !running->cancelled) {
      running->cancelled = true;
      running->progress.cancelled_by = by;
    }
    changed_.notify_all();
  }
  return wait(number);
}

Result<BulkProgress> BulkActs::wait(std::uint32_t number) {
  std::unique_lock lock(mutex_);
  const auto running = found(number);
  if (!running) return unknown(number);
  changed_.wait(lock, [&] { return running->progress.state != BulkProgress::State::running; });
  return running->progress;
}

std::vector<BulkProgress> BulkActs::all() const {
  std::scoped_lock lock(mutex_);
  std::vector<BulkProgress> all;
  for (auto one = acts_.rbegin(); one != acts_.rend(); ++one) all.push_back((*one)->progress);
  return all;
}

void BulkActs::join_ended() {
  std::vector<std::shared_ptr<Running>> ended;
  {
    std::scoped_lock lock(mutex_);
    for (const auto& one : acts_) {
      if (one->progress.state != BulkProgress::State::running && one->thread.joinable())
        ended.push_back(one);
    }
    while (acts_.size() > kMostRemembered &&
           acts_.front()->progress.state != BulkProgress::State::running &&
           !acts_.front()->thread.joinable()) {
      acts_.erase(acts_.begin());
    }
  }
  for (const auto& one : ended) one->thread.join();
}

void BulkActs::stop() {
  std::vector<std::shared_ptr<Running>> acts;
  {
    std::scoped_lock lock(mutex_);
    stopped_ = true;
    acts = acts_;
    for (const auto& one : acts) {
      if (one->progress.state == BulkProgress::State::running && !one->cancelled) {
        one->cancelled = true;
        one->progress.cancelled_by = "the engine stopped";
      }
    }
    changed_.notify_all();
  }
  for (const auto& one : acts) {
    if (one->thread.joinable()) one->thread.join();
  }
}

}  // namespace cannula::pipeline
