#include "rules/tables/loinc.h"

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

}  // namespace
}  // namespace cannula::tables
