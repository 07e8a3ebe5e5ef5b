#include "parsers/text/time_zone.h"

#include <thread>

#include <gtest/gtest.h>

namespace cannula {
namespace {

using std::chrono::minutes;

// A civil time as microseconds, as if it were UTC.
std::int64_t at(int year, unsigned month, unsigned day, int hour, int minute = 0, int second = 0) {
  using namespace std::chrono;
  const sys_days date{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)};
  return (date.time_since_epoch() / 1s + hour * 3600LL + minute * 60LL + second) * 1'000'000;
}

minutes local(const char* zone, std::int64_t wall_clock) {
  return TimeZone::find(zone)->offset_at_local(wall_clock);
}

TEST(TimeZone, KnowsSummerAndWinterOfAnIanaName) {
  EXPECT_EQ(local("Europe/Vienna", at(2026, 1, 15, 9, 30)), minutes(60));
  EXPECT_EQ(local("Europe/Vienna", at(2026, 7, 15, 9, 30)), minutes(120));
  EXPECT_EQ(local("America/New_York", at(2026, 1, 15, 9, 30)), minutes(-300));
  EXPECT_EQ(local("America/New_York", at(2026, 7, 15, 9, 30)), minutes(-240));
  EXPECT_EQ(local("Asia/Kathmandu", at(2026, 7, 15, 9, 30)), minutes(345));
  EXPECT_EQ(local("US/Eastern", at(2026, 7, 15, 9, 30)), minutes(-240));
}

TEST(TimeZone, ChangesAtTheSecondTheRulesName) {
  const TimeZone vienna = *TimeZone::find("Europe/Vienna");  // at 01:00 UTC, both times
  EXPECT_EQ(vienna.offset_at(at(2026, 3, 29, 0, 59, 59)), minutes(60));
  EXPECT_EQ(vienna.offset_at(at(2026, 3, 29, 1)), minutes(120));
  EXPECT_EQ(vienna.offset_at(at(2026, 10, 25, 0, 59, 59)), minutes(120));
  EXPECT_EQ(vienna.offset_at(at(2026, 10, 25, 1)), minutes(60));
  EXPECT_EQ(vienna.offset_at(at(2026, 10, 25, 1) - 1), minutes(120)) << "a microsecond before";
}

TEST(TimeZone, TheHourThatSummerLeavesOutHasTheOffsetBeforeIt) {
  EXPECT_EQ(local("America/New_York", at(2026, 3, 8, 1, 59, 59)), minutes(-300));
  EXPECT_EQ(local("America/New_York", at(2026, 3, 8, 2)), minutes(-300));
  EXPECT_EQ(local("America/New_York", at(2026, 3, 8, 2, 59, 59)), minutes(-300));
  EXPECT_EQ(local("America/New_York", at(2026, 3, 8, 3)), minutes(-240));
}

TEST(TimeZone, OfTheHourThatWinterRepeatsTheFirstIsTaken) {
  EXPECT_EQ(local("America/New_York", at(2026, 11, 1, 0, 59, 59)), minutes(-240));
  EXPECT_EQ(local("America/New_York", at(2026, 11, 1, 1)), minutes(-240));
  EXPECT_EQ(local("America/New_York", at(2026, 11, 1, 1, 59, 59)), minutes(-240));
  EXPECT_EQ(local("America/New_York", at(2026, 11, 1, 2)), minutes(-300));
}

TEST(TimeZone, KnowsChangesOfHalfAnHourAndOfAWholeDay) {
  EXPECT_EQ(local("Australia/Lord_Howe", at(2026, 4, 5, 1, 59, 59)), minutes(660));
  EXPECT_EQ(local("Australia/Lord_Howe", at(2026, 4, 5, 2)), minutes(630));
  EXPECT_EQ(local("Australia/Lord_Howe", at(2026, 10, 4, 2, 29, 59)), minutes(630));
  EXPECT_EQ(local("Australia/Lord_Howe", at(2026, 10, 4, 2, 30)), minutes(660));
  EXPECT_EQ(local("Pacific/Apia", at(2011, 12, 29, 23, 59, 59)), minutes(-600));
  EXPECT_EQ(local("Pacific/Apia", at(2011, 12, 30, 23, 59, 59)), minutes(-600)) << "left out";
  EXPECT_EQ(local("Pacific/Apia", at(2011, 12, 31, 0)), minutes(840));
  const TimeZone apia = *TimeZone::find("Pacific/Apia");
  EXPECT_EQ(apia.offset_at(at(2011, 12, 30, 9, 59, 59)), minutes(-600));
  EXPECT_EQ(apia.offset_at(at(2011, 12, 30, 10)), minutes(840));
}

TEST(TimeZone, KnowsTimesOfBirthBeforeTheFirstOfTodaysRules) {
  EXPECT_EQ(local("Europe/Vienna", at(1961, 6, 15, 12)), minutes(60));
  EXPECT_EQ(local("Europe/Vienna", at(1943, 6, 15, 12)), minutes(120)) << "summer time of the war";
  EXPECT_EQ(local("Europe/Vienna", at(1880, 6, 15, 12)), minutes(65)) << "local mean time";
  EXPECT_EQ(local("Europe/Vienna", at(1, 1, 1, 0)), minutes(65));
}

TEST(TimeZone, GoesOnWithTodaysRulesAfterTheLastListedChange) {
  EXPECT_EQ(local("America/New_York", at(2037, 7, 15, 12)), minutes(-240));
  EXPECT_EQ(local("America/New_York", at(2038, 7, 15, 12)), minutes(-240));
  EXPECT_EQ(local("America/New_York", at(2059, 1, 15, 12)), minutes(-300));
  EXPECT_EQ(local("Europe/Vienna", at(2099, 7, 15, 12)), minutes(120));
  EXPECT_EQ(local("Europe/Vienna", at(9999, 12, 31, 23)), minutes(60));
}

TEST(TimeZone, TakesFixedOffsetsInBothForms) {
  EXPECT_EQ(local("+01:00", 0), minutes(60));
  EXPECT_EQ(local("-0500", 0), minutes(-300));
  EXPECT_EQ(local("Z", 0), minutes(0));
  EXPECT_EQ(local("UTC", 0), minutes(0));
  EXPECT_EQ(TimeZone::find("-05:30")->offset_at(at(2026, 7, 1, 0)), minutes(-330));
  EXPECT_EQ(TimeZone::find("+01:00")->name(), "+01:00");
  EXPECT_EQ(TimeZone::utc().name(), "UTC");
}

TEST(TimeZone, RefusesWhatIsNoOffset) {
  for (const char* text : {"+1", "+01", "01:00", "+0160", "+19:00", "+01-00", "+0x:00", "+01:0a",
                           "", "+", "-0 00", "+01:000", "z"}) {
    EXPECT_FALSE(parse_offset(text)) << text;
    EXPECT_FALSE(TimeZone::find(text)) << text;
  }
}

TEST(TimeZone, AnUnknownNameIsD101WithTheNearestOne) {
  const auto mistyped = TimeZone::find("Europe/Vienn");
  ASSERT_FALSE(mistyped);
  EXPECT_EQ(mistyped.error().code, "D101");
  EXPECT_NE(mistyped.error().message.find("did you mean 'Europe/Vienna'?"), std::string::npos)
      << mistyped.error().message;
  EXPECT_NE(mistyped.error().hint.find("IANA"), std::string::npos);
  const auto city = TimeZone::find("new_york");
  EXPECT_NE(city.error().message.find("America/New_York"), std::string::npos);
  const auto nonsense = TimeZone::find("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq");
  EXPECT_EQ(nonsense.error().code, "D101");
  EXPECT_EQ(nonsense.error().message.find("did you mean"), std::string::npos);
}

TEST(TimeZone, IsAskedFromSeveralThreadsAtOnce) {
  const TimeZone shared = *TimeZone::find("Europe/London");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&shared, &mistakes = wrong[static_cast<std::size_t>(number)]] {
      for (int month = 1; month <= 12; ++month) {
        const auto wanted = minutes(month > 3 && month < 11 ? 60 : 0);
        const auto moment = at(2026, static_cast<unsigned>(month), 15, 12);
        mistakes += shared.offset_at(moment) != wanted;
        mistakes += TimeZone::find("Europe/Dublin")->offset_at(moment) != wanted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace cannula
