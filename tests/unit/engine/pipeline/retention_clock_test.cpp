#include "engine/pipeline/retention_clock.h"

#include <gtest/gtest.h>

namespace cannula::pipeline {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr store::Timestamp kNow = 1'800'000'000'000'000;

store::Timestamp after(std::chrono::microseconds time) {
  return kNow + time.count();
}

TEST(RetentionClock, IsTheWallClockWhileThatGoesAsTimeDoes) {
  const RetentionClock::TimePoint start{};
  RetentionClock clock(kNow, start);
  EXPECT_EQ(clock.now(after(minutes(10)), start + minutes(10)), after(minutes(10)));
  // A weekend without the engine, or a time zone that was corrected.
  EXPECT_EQ(clock.now(after(hours(40)), start + minutes(20)), after(hours(40)));
  EXPECT_EQ(clock.now(after(hours(1)), start + minutes(30)), after(hours(1))) << "and back";
  EXPECT_EQ(clock.ahead().count(), 0);
  // However long it was not asked.
  EXPECT_EQ(clock.now(after(hours(1000)), start + hours(999)), after(hours(1000)));
}

TEST(RetentionClock, FollowsAJumpADayAnHour) {
  const RetentionClock::TimePoint start{};
  RetentionClock clock(kNow, start);
  const auto year = hours(24 * 365);
  EXPECT_EQ(clock.now(after(year), start), kNow);
  EXPECT_EQ(clock.ahead(), year);
  EXPECT_EQ(clock.now(after(year + hours(1)), start + hours(1)), after(hours(25)));
  EXPECT_EQ(clock.now(after(year + hours(2)), start + hours(2)), after(hours(50)));
  EXPECT_EQ(clock.now(after(hours(3)), start + hours(3)), after(hours(3))) << "it was set right";
  EXPECT_EQ(clock.ahead().count(), 0);
}

TEST(RetentionClock, BelievesItAgainWhenItHasFollowed) {
  const RetentionClock::TimePoint start{};
  RetentionClock clock(kNow, start);  // the site was idle for ten days, and the clock is right
  int runs = 0;
  for (; runs < 1000; ++runs) {
    const auto passed = minutes(10) * runs;
    const auto now = clock.now(after(hours(240) + passed), start + passed);
    if (now == after(hours(240) + passed)) break;
  }
  EXPECT_NEAR(runs * 10 / 60, 8, 1) << "hours";
}

TEST(RetentionClock, OfAnEmptyStoreBelievesWhateverIsThereFirst) {
  const RetentionClock::TimePoint start{};
  RetentionClock clock(std::nullopt, start);
  EXPECT_EQ(clock.now(kNow, start + hours(1)), kNow);
}

}  // namespace
}  // namespace cannula::pipeline
