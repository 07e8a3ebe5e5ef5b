// Keeps attempts apart so that no more than a rate goes out, evenly and without bursts beyond a
// tenth of a second's worth (the generic cell rate algorithm, ITU-T I.371).
#pragma once

#include <chrono>
#include <optional>

#include "engine/config/site.h"

namespace cannula::pipeline {

// Not thread-safe.
class Pacer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Pacer(const std::optional<config::RateLimit>& limit) {
    if (limit) apart_ = std::chrono::nanoseconds(limit->per) / limit->count;
  }

  // When the next one may go; the past or now: at once.
  TimePoint next() const { return due_ - kBurst; }
  void went(TimePoint now) {
    if (apart_.count() > 0) due_ = std::max(due_, now) + apart_;
  }

 private:
  static constexpr std::chrono::milliseconds kBurst{100};
  std::chrono::nanoseconds apart_{0};  // zero: no limit
  TimePoint due_{};
};

}  // namespace cannula::pipeline
