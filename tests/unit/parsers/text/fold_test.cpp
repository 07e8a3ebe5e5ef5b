#include "parsers/text/fold.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

void expect_alike(std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    EXPECT_EQ(fold(text), fold(*texts.begin())) << text;
  }
}

TEST(Fold, CaseMakesNoDifferenceInAnyScriptThatHasIt) {
  expect_alike({"O'Brien-Smith", "O'BRIEN-SMITH", "o'brien-smith"});
  expect_alike({"Müller", "MÜLLER", "müller"});
  expect_alike({"Łukasiewicz", "ŁUKASIEWICZ", "łukasiewicz"});
  expect_alike({"Šťastná", "ŠŤASTNÁ", "šťastná"});
  expect_alike({"Παπαδόπουλος", "ΠΑΠΑΔΌΠΟΥΛΟΣ", "παπαδόπουλοσ"});
  expect_alike({"Щербакова", "ЩЕРБАКОВА", "щербакова"});
}

TEST(Fold, AnAccentIsTheSameHoweverItIsWritten) {
  expect_alike({"Müller", "Mu\u0308ller", "MU\u0308LLER"});
  expect_alike({"Nguyễn", "Nguye\u0302\u0303n", "NGUYÊ\u0303N"});
  expect_alike({"Йорданова", "И\u0306ОРДАНОВА"});
}

TEST(Fold, WhatCapitalsHaveLostIsNotAskedFor) {
  expect_alike({"Groß", "GROSS", "gross", "GROẞ"});
  expect_alike({"Yıldız", "YILDIZ", "yildiz"});
  expect_alike({"İnci", "INCI", "inci", "I\u0307nci"});
}

TEST(Fold, OtherFormsOfALetterAreTheLetter) {
  expect_alike({"ＭＵＳＴＥＲ", "Muster"});  // full width
  expect_alike({"ヤマダ", "ﾔﾏﾀﾞ"});          // half width
  EXPECT_EQ(fold("van\u00A0Dyk"), "van dyk");
}

TEST(Fold, OtherNamesStayOthers) {
  EXPECT_NE(fold("Muller"), fold("Müller"));
  EXPECT_NE(fold("Mueller"), fold("Müller"));
  EXPECT_NE(fold("Иванова"), fold("Иванов"));
}

// Half a minute when each of them moved what was behind it.
TEST(Fold, MuchOfTheTurkishLettersTakesNoLongerThanOthers) {
  constexpr std::size_t kCount = 500'000;
  std::string dotted;
  std::string dotless;
  for (std::size_t i = 0; i < kCount; ++i) {
    dotted += "İ";
    dotless += "ı";
  }
  EXPECT_EQ(fold(dotted), std::string(kCount, 'i'));
  EXPECT_EQ(fold(dotless), std::string(kCount, 'i'));
}

TEST(Fold, BytesThatAreNoUtf8StayAsTheyAre) {
  EXPECT_EQ(fold("M\xFCller"), "m\xFCller");
  EXPECT_EQ(fold(""), "");
}

}  // namespace
}  // namespace cannula
