// The time that forgetting goes by. What is forgotten is gone, so a wall clock that is suddenly
// months ahead (a dead battery, a slip of the hand) is not believed at once: of more than two days
// it is followed a day an hour, which leaves time to set it right. It is believed again as soon as
// it is less ahead.
#pragma once

#include <chrono>
#include <optional>

#include "engine/store/record.h"

namespace cannula::pipeline {

// Not thread-safe.
class RetentionClock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::microseconds kBelieved = std::chrono::hours(48);
  static constexpr std::int64_t kPace = 24;  // of time by the wall in what has really passed

  // `believed`: what it gave last in an earlier run, or when the newest message came that was there
  // at the start; nothing: there was none, and nothing to be forgotten too early.
  RetentionClock(std::optional<store::Timestamp> believed, TimePoint start)
      : believed_(believed), looked_(start) {}

  // Never later than `wall`.
  store::Timestamp now(store::Timestamp wall, TimePoint steady) {
    const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(steady - looked_);
    looked_ = steady;
    if (!believed_) believed_ = wall;
    const store::Timestamp expected = *believed_ + passed.count();
    const bool doubted = wall > expected + kBelieved.count();
    believed_ = doubted ? expected + passed.count() * kPace : wall;
    believed_ = std::min(*believed_, wall);
    ahead_ = std::chrono::microseconds(wall - *believed_);
    return *believed_;
  }

  // How far the wall clock was ahead of what now() gave last; zero when it was believed.
  std::chrono::microseconds ahead() const { return ahead_; }

 private:
  std::optional<store::Timestamp> believed_;
  TimePoint looked_;
  std::chrono::microseconds ahead_{0};
};

}  // namespace cannula::pipeline
