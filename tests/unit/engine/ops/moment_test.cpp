#include "engine/ops/moment.h"

#include <cstdlib>
#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::ops {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kNow = 1'795'442'800 * kSecond;  // 2026-11-23T15:06:40 in Vienna

// The clocks of the machine show another zone.
class Moment : public testing::Test {
 protected:
  Moment() { move_to("Europe/Vienna"); }
  ~Moment() override {
    ::unsetenv("TZ");
    ::tzset();
  }
  static void move_to(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  static std::int64_t seconds(const std::string& text) {
    const auto moment = moment_of(text, kNow);
    return moment ? *moment / kSecond : -1;
  }
};

TEST_F(Moment, ADurationIsBackFromNow) {
  EXPECT_EQ(seconds("2h"), kNow / kSecond - 7200);
  EXPECT_EQ(seconds("3d"), kNow / kSecond - 3 * 86'400);
}

TEST_F(Moment, NothingIsBeforeTheFirstMoment) {
  for (const char* text : {"36500d", "1970-01-01", "1970-01-01T00:00:00Z"})
    EXPECT_EQ(moment_of(text, kNow).value(), 1) << text;
}

TEST_F(Moment, ATimeWithAnOffsetIsRfc3339) {
  EXPECT_EQ(seconds("2026-11-23T14:06:40Z"), kNow / kSecond);
  EXPECT_EQ(seconds("2026-11-23T15:06:40+01:00"), kNow / kSecond);
  EXPECT_EQ(seconds("2026-11-23T09:06:40-05:00"), kNow / kSecond);
  EXPECT_EQ(*moment_of("2026-11-23T14:06:40.250000Z", 0), kNow + kSecond / 4);
}

TEST_F(Moment, ATimeWithoutOneIsLocal) {
  for (const char* text : {"2026-11-23T15:06:40", "2026-11-23 15:06:40", "20261123150640"})
    EXPECT_EQ(seconds(text), kNow / kSecond) << text;
  EXPECT_EQ(seconds("2026-11-23T15:06"), kNow / kSecond - 40);
  EXPECT_EQ(seconds("2026-07-01T15:06:40"), 1'782'911'200) << "in summer, two hours east";
  move_to("America/New_York");
  EXPECT_EQ(seconds("2026-11-23T09:06:40"), kNow / kSecond);
}

TEST_F(Moment, ADayBeginsAtLocalMidnight) {
  EXPECT_EQ(seconds("2026-11-23"), 1'795'388'400);
  move_to("UTC");
  EXPECT_EQ(seconds("2026-11-23"), 1'795'392'000);
}

TEST_F(Moment, NothingIsNoBound) {
  EXPECT_EQ(*moment_of("", kNow), 0);
}

TEST_F(Moment, AnythingElseIsSaidToBeNone) {
  for (const char* text : {"yesterday", "2026", "2026-11", "2026-13-01", "2026-11-23T25:00",
                           "2026-11-23T15:04 o'clock", "-2h", "1969-12-31"}) {
    const auto moment = moment_of(text, kNow);
    ASSERT_FALSE(moment) << text;
    EXPECT_EQ(moment.error().code, "U201");
    EXPECT_THAT(moment.error().message, HasSubstr(text));
  }
}

TEST_F(Moment, ARangeHasToHoldSomething) {
  EXPECT_TRUE(check_range(1, 2));
  EXPECT_TRUE(check_range(2, 0));
  EXPECT_TRUE(check_range(0, 2));
  EXPECT_FALSE(check_range(2, 2));
  EXPECT_FALSE(check_range(3, 2));
}

}  // namespace
}  // namespace cannula::ops
