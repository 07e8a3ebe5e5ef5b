// Wall clock for records and for people. Waiting uses std::chrono::steady_clock.
#pragma once

#include <chrono>

#include "engine/store/record.h"

namespace cannula::pipeline {

inline store::Timestamp now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace cannula::pipeline
