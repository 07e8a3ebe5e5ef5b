// When a destination keeps failing, the breaker opens: nothing goes but one probe now and then, in
// growing pauses. The first answer closes it, and then a few go at once before many do, so that one
// that has just come back is not run over.
#pragma once

#include <chrono>
#include <random>

#include "engine/config/site.h"
#include "engine/pipeline/backoff.h"

namespace cannula::pipeline {

// Not thread-safe. Times are of the monotonic clock.
class Breaker {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class State {
    closed,    // deliveries go
    open,      // away: nothing goes before quiet_until()
    half_open  // away: one probe may go, or is under way
  };

  explicit Breaker(const config::RetryConfig& retry)
      : retry_(retry), random_(std::random_device{}()) {}

  // The most attempts that may be under way now; `concurrency` is the transport's own bound.
  std::size_t allowed(TimePoint now, std::size_t concurrency) const {
    if (now < quiet_until_) return 0;
    return away_ ? 1 : std::min(concurrency, at_once_);
  }

  // Whether it is still to be found out what the other side takes: it has not answered, or not
  // often enough since. `concurrency` as above.
  bool in_doubt(std::size_t concurrency) const { return away_ || at_once_ <= concurrency; }

  // The other side answered, whatever it said. True when it had been away.
  bool answered() {
    failures_ = 0;
    pauses_ = 0;
    at_once_ = away_ ? 1 : std::min(at_once_ + 1, kMany);
    return std::exchange(away_, false);
  }
  // No answer, or that it is busy. True when that opens the breaker; `concurrency` as above.
  bool failed(TimePoint now, std::size_t concurrency) {
    ++failures_;
    at_once_ = std::max<std::size_t>(1, std::min(at_once_, concurrency) / 2);
    if (failures_ < retry_.away_after) return false;
    // What was under way when it opened tells nothing new.
    if (away_ && now < quiet_until_) return false;
    be_quiet_until(now + backoff(++pauses_, retry_.first, retry_.max, random_));
    return !std::exchange(away_, true);
  }
  // The other side's own wish (Retry-After): nothing goes before.
  void be_quiet_until(TimePoint until) { quiet_until_ = std::max(quiet_until_, until); }
  // A person says that the other side is there.
  void try_now() { quiet_until_ = {}; }

  State state(TimePoint now) const {
    if (!away_) return State::closed;
    return now < quiet_until_ ? State::open : State::half_open;
  }
  bool away() const { return away_; }
  TimePoint quiet_until() const { return quiet_until_; }
  std::uint32_t failures_in_a_row() const { return failures_; }

 private:
  static constexpr std::size_t kMany = 1u << 16;
  const config::RetryConfig& retry_;
  std::minstd_rand random_;
  std::size_t at_once_ = kMany;
  std::uint32_t failures_ = 0;
  std::uint32_t pauses_ = 0;  // since it opened
  bool away_ = false;
  TimePoint quiet_until_{};
};

}  // namespace cannula::pipeline
