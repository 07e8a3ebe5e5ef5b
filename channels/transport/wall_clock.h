// The wall clock, for records and for people. Waiting uses std::chrono::steady_clock, so that a
// wall clock that jumps neither hurries nor delays anything.
#pragma once

#include <chrono>
#include <cstdint>

namespace cannula {

// Microseconds since 1970, UTC.
inline std::int64_t now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace cannula
