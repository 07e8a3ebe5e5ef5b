// Wall clock for records, for people and for delivery windows. Waiting uses
// std::chrono::steady_clock, so that a wall clock that jumps neither hurries nor delays anything.
#pragma once

#include <chrono>

#include "engine/store/record.h"

namespace cannula::pipeline {

inline store::Timestamp now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

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
