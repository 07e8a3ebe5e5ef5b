// How long to wait before the next attempt: doubling from `first` to `max`, with jitter so that
// many do not come at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace cannula::pipeline {

// `attempt` counts from 1. Between half and all of the doubled time.
inline std::chrono::milliseconds backoff(std::uint32_t attempt, std::chrono::milliseconds first,
                                         std::chrono::milliseconds max, std::minstd_rand& random) {
  const std::uint32_t doublings = std::min<std::uint32_t>(attempt > 0 ? attempt - 1 : 0, 40);
  const double whole =
      std::min(static_cast<double>(max.count()),
               static_cast<double>(first.count()) * static_cast<double>(1ull << doublings));
  std::uniform_real_distribution<double> jitter(0.5, 1.0);
  return std::chrono::milliseconds(static_cast<std::int64_t>(whole * jitter(random)));
}

}  // namespace cannula::pipeline
