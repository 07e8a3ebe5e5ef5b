#include "engine/config/delivery_window.h"

#include <gmock/gmock.h>

namespace cannula::config {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// 2026-MM-DDThh:mm UTC
std::int64_t utc(unsigned month, unsigned day, int hour, int minute) {
  using namespace std::chrono;
  const sys_days date = year(2026) / month / day;
  return duration_cast<microseconds>(date.time_since_epoch() + hours(hour) + minutes(minute))
      .count();
}

DeliveryWindow window(std::vector<std::string> texts, const char* zone = "Europe/Vienna") {
  auto parsed = DeliveryWindow::parse(texts, *TimeZone::find(zone));
  EXPECT_TRUE(parsed) << parsed.error().text();
  return *std::move(parsed);
}

TEST(DeliveryWindow, IsOpenOverMidnightInTheTimeOfItsZone) {
  const auto night = window({"22:00-05:00"});
  EXPECT_FALSE(night.open_at(utc(1, 14, 20, 59)));  // 21:59 in Vienna
  EXPECT_TRUE(night.open_at(utc(1, 14, 21, 0)));
  EXPECT_TRUE(night.open_at(utc(1, 15, 3, 59)));
  EXPECT_FALSE(night.open_at(utc(1, 15, 4, 0)));
  EXPECT_TRUE(night.open_at(utc(7, 14, 20, 0))) << "an hour earlier in summer";
}

TEST(DeliveryWindow, DaysAreThoseOnWhichASpanBegins) {
  const auto week = window({"fri 22:00-05:00", "sat,sun 00:00-24:00"});
  EXPECT_FALSE(week.open_at(utc(1, 15, 22, 0)));  // Thursday
  EXPECT_TRUE(week.open_at(utc(1, 16, 22, 0)));   // Friday
  EXPECT_TRUE(week.open_at(utc(1, 17, 12, 0)));   // Saturday
  EXPECT_TRUE(week.open_at(utc(1, 18, 22, 59)));  // Sunday, 23:59 there
  EXPECT_FALSE(week.open_at(utc(1, 18, 23, 0)));  // Monday
}

TEST(DeliveryWindow, WhereSummerTimeLeavesOutTheHourItOpensInItOpensAfterIt) {
  const auto early = window({"02:30-04:00"});  // 2026-03-29: 02:00 becomes 03:00, at 01:00 UTC
  EXPECT_FALSE(early.open_at(utc(3, 29, 0, 59)));
  EXPECT_TRUE(early.open_at(utc(3, 29, 1, 0)));
  EXPECT_FALSE(early.open_at(utc(3, 29, 2, 0)));
  EXPECT_EQ(early.next_change(utc(3, 29, 0, 10)), utc(3, 29, 1, 0));
}

TEST(DeliveryWindow, WhereAnHourComesTwiceItIsOpenBothTimes) {
  const auto early = window({"02:00-03:00"});  // 2026-10-25: 03:00 becomes 02:00, at 01:00 UTC
  EXPECT_TRUE(early.open_at(utc(10, 25, 0, 30)));
  EXPECT_TRUE(early.open_at(utc(10, 25, 1, 30)));
  EXPECT_FALSE(early.open_at(utc(10, 25, 2, 0)));
  EXPECT_EQ(early.next_change(utc(10, 25, 0, 30) + 7 * kSecond), utc(10, 25, 2, 0));
}

TEST(DeliveryWindow, OneThatIsAlwaysOpenNeverChanges) {
  EXPECT_EQ(window({"00:00-24:00"}).next_change(utc(1, 1, 0, 0)), std::nullopt);
}

TEST(DeliveryWindow, WhatIsNoTimeOfDayIsRefused) {
  for (const char* text : {"", "22:00", "22-05", "25:00-05:00", "22:00-05:60", "22:00-22:00",
                           "moon 22:00-05:00", "mon, 22:00-05:00", " 22:00-05:00", "24:00-05:00"}) {
    const auto parsed = DeliveryWindow::parse({text}, TimeZone::utc());
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, "C140");
  }
}

}  // namespace
}  // namespace cannula::config
