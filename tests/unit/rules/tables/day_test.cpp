#include "rules/tables/day.h"

#include <gtest/gtest.h>

namespace cannula::tables {
namespace {

TEST(Day, IsYearMonthDayAndExists) {
  EXPECT_EQ(day_text(*parse_day("2024-02-29")), "2024-02-29");
  for (const auto* wrong : {"", "2026-02-29", "2026-13-01", "2026-1-1", "2026/01/01", "0000-01-01",
                            "2026-01-01 ", "+026-01-01", "20260101"}) {
    EXPECT_FALSE(parse_day(wrong)) << wrong;
  }
}

TEST(Day, IsGuessedOnlyWhereItCanMeanOne) {
  const auto guessed = [](std::string_view text) {
    const auto day = guess_day(text);
    return day ? day_text(*day) : "";
  };
  EXPECT_EQ(guessed("31.12.2026"), "2026-12-31");
  EXPECT_EQ(guessed("1.2.2026"), "2026-02-01");
  EXPECT_EQ(guessed("12/31/2026"), "2026-12-31");
  EXPECT_EQ(guessed("31/12/2026"), "2026-12-31");
  EXPECT_EQ(guessed("3/3/2026"), "2026-03-03");
  EXPECT_EQ(guessed("2026/1/2"), "2026-01-02");
  EXPECT_EQ(guessed("2026-1-2"), "2026-01-02");
  EXPECT_EQ(guessed("1/2/2026"), "");
  EXPECT_EQ(guessed("1.2.26"), "");
  EXPECT_EQ(guessed("2026"), "");
  EXPECT_EQ(guessed("1..2026"), "");
  EXPECT_EQ(guessed("31.2.2026"), "");
}

}  // namespace
}  // namespace cannula::tables
