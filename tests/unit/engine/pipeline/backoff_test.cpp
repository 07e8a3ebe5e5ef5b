#include "engine/pipeline/backoff.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace cannula::pipeline {
namespace {

using namespace std::chrono_literals;

// The least and the most of many waits before the next attempt after `attempt`.
std::pair<std::chrono::milliseconds, std::chrono::milliseconds> range_of(std::uint32_t attempt) {
  std::minstd_rand random(7);
  std::pair range(std::chrono::milliseconds::max(), std::chrono::milliseconds::min());
  for (int i = 0; i < 1000; ++i) {
    const auto wait = backoff(attempt, 1s, 60s, random);
    range = {std::min(range.first, wait), std::max(range.second, wait)};
  }
  return range;
}

TEST(Backoff, DoublesFromTheFirstWaitToTheLongest) {
  std::uint32_t attempt = 0;
  for (const auto whole : {1s, 1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    const auto [least, most] = range_of(attempt);
    EXPECT_GE(least, whole / 2) << attempt;
    EXPECT_LE(most, whole) << attempt;
    EXPECT_GT(most - least, whole / 4) << "many that failed together come apart, " << attempt;
    ++attempt;
  }
}

TEST(Backoff, StaysTheLongestWaitHoweverOftenItWasTried) {
  for (const std::uint32_t attempt : {63u, 64u, 65u, UINT32_MAX}) {
    EXPECT_GE(range_of(attempt).first, 30s) << attempt;
    EXPECT_LE(range_of(attempt).second, 60s) << attempt;
  }
}

}  // namespace
}  // namespace cannula::pipeline
