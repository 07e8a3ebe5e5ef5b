#include "rules/tables/loinc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::tables {
namespace {

std::string better(std::string_view text) {
  const auto mistake = loinc_mistake(text);
  return mistake ? mistake->better : "(fine)";
}

// 12345-5 is the example of the LOINC Users' Guide; the others are codes that laboratories send.
TEST(Loinc, ACodeWithItsCheckDigitIsTaken) {
  for (const char* code : {"12345-5", "2823-3", "2951-2", "718-7", "4548-4", "30-7", "8-3",
                           "19123-9", "100746-7", "LA6576-8", "LP14542-2", "LL2451-0"}) {
    EXPECT_EQ(better(code), "(fine)") << code;
  }
}

TEST(Loinc, EveryOtherCheckDigitIsAMistake) {
  for (char digit = '0'; digit <= '9'; ++digit) {
    EXPECT_EQ(better(std::string("2823-") + digit), digit == '3' ? "(fine)" : "2823-3");
  }
}

TEST(Loinc, TwoDigitsInTheWrongOrderShow) {
  EXPECT_EQ(loinc_mistake("2283-3")->what,
            "`2283-3` is no LOINC code: the check digit of 2283 is 0");
}

TEST(Loinc, WhatIsNoLoincCodeButMeantAsOne) {
  EXPECT_EQ(better("2823"), "2823-3");
  EXPECT_EQ(better("28233"), "2823-3");
  EXPECT_EQ(better("2823\u20133"), "2823-3");
  EXPECT_EQ(better("2823 - 3"), "2823-3");
  for (const char* text : {"", "-", "-3", "K", "2823-", "2823-3-1", "2823a3", "2823-x", "2823, 3x",
                           "123456789", "12345678-1", "8-Jun", "LX1-1", "LA-1", "L", "LA1234"}) {
    EXPECT_EQ(better(text), "") << text;
  }
}

// 2028-9, 2951-2, 30-7 and 8-3 as spreadsheets of several countries save them.
TEST(Loinc, WhatASpreadsheetMadeOfACodeLeadsBackToIt) {
  const std::pair<const char*, const char*> cells[] = {
      {"Sep-28", "2028-9"},   {"28-Sep", "2028-9"},     {"Sep 28", "2028-9"},
      {"sept.-28", "2028-9"}, {"Sep 2028", "2028-9"},   {"1-Sep-28", "2028-9"},
      {"2028-09", "2028-9"},  {"2028-09-01", "2028-9"}, {"2028-09-01 00:00:00", "2028-9"},
      {"2028/9/1", "2028-9"}, {"01.09.2028", "2028-9"}, {"9/1/2028", "2028-9"},
      {"01/09/28", "2028-9"}, {"Feb-51", "2951-2"},     {"f\u00e9vr-51", "2951-2"},
      {"30-Jul", "30-7"},     {"Jul-30", "30-7"},       {"30-juil", "30-7"},
      {"8-Mar", "8-3"},       {"3-Aug", "8-3"},         {"08.M\u00e4r", "8-3"},
      {"30/07/2026", "30-7"}};
  for (const auto& [cell, code] : cells) {
    const auto codes = loinc_before_spreadsheet(cell);
    ASSERT_TRUE(codes.has_value()) << cell;
    EXPECT_THAT(*codes, testing::Contains(code)) << cell;
    for (const std::string& each : *codes) EXPECT_EQ(better(each), "(fine)") << each;
  }
  EXPECT_THAT(*loinc_before_spreadsheet("2028-09-01"), testing::ElementsAre("2028-9"));
  for (const char* cell : {"Oct-28", "2028-12-24", "2028-09-99"}) {
    EXPECT_TRUE(loinc_before_spreadsheet(cell).has_value()) << cell;
  }
  for (const char* text : {"", "none", "may be", "2823-3", "2028-9", "K", "-", "1-2", "LAB12-3",
                           "Sep", "28", "1-2-3-4", "Sep-28-28-28", "Sep-Okt", "12345678-1"}) {
    EXPECT_FALSE(loinc_before_spreadsheet(text).has_value()) << text;
  }
}

TEST(Loinc, WhatIsShapedLikeACode) {
  for (const char* text : {"2823-4", "LAB12-3", "12345678-1", "LX1-1"}) {
    EXPECT_TRUE(is_shaped_like_loinc(text)) << text;
  }
  for (const char* text : {"", "none", "-", "-3", "a-3", "Sep-28", "2823", "2823-x", "28 23-3"}) {
    EXPECT_FALSE(is_shaped_like_loinc(text)) << text;
  }
}

}  // namespace
}  // namespace cannula::tables
