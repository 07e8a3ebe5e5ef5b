// Wall clock for records, for people and for delivery windows. Waiting uses
// std::chrono::steady_clock, so that a wall clock that jumps neither hurries nor delays anything.
#pragma once

#include "channels/transport/wall_clock.h"
#include "engine/store/record.h"

namespace cannula::pipeline {

using cannula::now_microseconds;

// The wall clock as a port: tests let it jump. Thread-safe.
class WallClock {
 public:
  virtual ~WallClock() = default;
  virtual store::Timestamp now() const { return now_microseconds(); }

  static const WallClock& real() {
    static const WallClock clock;
    return clock;
  }
};

}  // namespace cannula::pipeline
