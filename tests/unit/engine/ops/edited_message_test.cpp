#include "engine/ops/edited_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::ops {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

const std::string kHeader = "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101||ORU^R01^ORU_R01|C-1|P|2.5.1\r";
const std::string kPatient = "PID|1||4711||Muster^Eva\r";
const std::string kResult = "OBR|1|P1|F1\rOBX|1|NM|K||4.1\rZLX|1|here\r";
const std::string kOriginal = kHeader + kPatient + kResult;

EditedMessage look(const std::string& edited, const std::string& original = kOriginal) {
  return look_at_edited(make_bytes(std::string(original)), make_bytes(std::string(edited)),
                        nullptr);
}

TEST(EditedMessage, AChangedFieldIsNoMistake) {
  const auto looked = look(kHeader + "PID|1||4712||Muster^Eva\r" + kResult);
  EXPECT_THAT(looked.mistakes, IsEmpty());
  EXPECT_THAT(looked.more_segments, IsEmpty());
  EXPECT_TRUE(refuse_mistakes(looked));
  EXPECT_EQ(describe_segments(looked), "");
}

TEST(EditedMessage, AMistypedSegmentIsNamedWithItsLineAndWhatWasMeant) {
  EXPECT_THAT(look(kHeader + "PDI|1||4711||Muster^Eva\r" + kResult).mistakes,
              ElementsAre("line 2: PDI is no segment (did you mean PID?)"));
  EXPECT_THAT(look(kHeader + kPatient + "OBR|1|P1|F1\r\nOBXX|1|NM|K||4.1\r\n").mistakes,
              ElementsAre("line 4: OBXX is no segment (did you mean OBX?)"));
  EXPECT_THAT(look(kHeader + kPatient + kResult + "NTTE|1||text\r").mistakes,
              ElementsAre("line 6: NTTE is no segment (did you mean NTE?)"));
  EXPECT_THAT(look(kHeader + "pid|1||4711\r" + kResult).mistakes, ElementsAre(HasSubstr("line 2")));
}

// Minutes when the lines before each segment were counted anew.
TEST(EditedMessage, ManySegmentsAndMistakesAreLookedAtInOnePass) {
  std::string edited = kHeader + kPatient;
  for (int i = 0; i < 200'000; ++i) edited += "OBX|1|NM|K||4.1\r";
  EXPECT_THAT(look(edited + "OBXX|1\r").mistakes, ElementsAre(HasSubstr("line 200003: OBXX")));
  for (int i = 0; i < 100'000; ++i) edited += "OBXX|1\r";
  EXPECT_EQ(look(edited).mistakes.size(), 100u) << "the first say enough";
}

TEST(EditedMessage, EveryMistakeIsTold) {
  const auto looked = look(kHeader + "PDI|1||4711\rOBRR|1|P1|F1\rOBX|1|NM|K||4.1\r");
  EXPECT_THAT(looked.mistakes, ElementsAre(HasSubstr("line 2: PDI"), HasSubstr("line 3: OBRR")));
  const auto refused = refuse_mistakes(looked);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "P338");
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("PDI"), HasSubstr("OBRR")));
  EXPECT_THAT(refused.error().hint, HasSubstr("--force"));
}

TEST(EditedMessage, ALineThatLostItsSeparatorsIsAMistakeAndIsNotQuoted) {
  for (const std::string line : {"PID 1 4711 Muster Eva\r", "PID^1^^4711^Muster\r"}) {
    EXPECT_THAT(look(kHeader + line + kResult).mistakes,
                ElementsAre(AllOf(HasSubstr("line 2"), HasSubstr("did you mean PID?"),
                                  Not(HasSubstr("4711")), Not(HasSubstr("Muster")))))
        << line;
  }
  EXPECT_THAT(look(kHeader + "PID1||4711\r" + kResult).mistakes,
              ElementsAre(HasSubstr("did you mean PID?")));
  EXPECT_THAT(look(kHeader + "PID\r" + kResult).mistakes, ElementsAre("line 2: PID has no fields"));
  EXPECT_THAT(look(kHeader + kPatient + "4711 Muster\r" + kResult).mistakes,
              ElementsAre(Not(HasSubstr("Muster"))));
}

TEST(EditedMessage, WhatTheStandardTheSiteOrTheOriginalHaveIsNone) {
  EXPECT_THAT(look(kOriginal + "ZZ9|1\rNTE|1||text\rARV|1\r").mistakes, IsEmpty());
  const std::string odd = kHeader + "XYZ9|1\rDSC\r";
  EXPECT_THAT(look(odd + kPatient, odd).mistakes, IsEmpty());
  EXPECT_THAT(look(kOriginal + "XYZ9|1\r").mistakes, ElementsAre(HasSubstr("XYZ9")));
}

TEST(EditedMessage, ALostHeaderOrControlIdIsAMistake) {
  EXPECT_THAT(look(kPatient + kResult).mistakes, ElementsAre(HasSubstr("MSH")));
  EXPECT_THAT(look("MHS|^~\\&|LAB\r" + kPatient).mistakes, ElementsAre(HasSubstr("MSH")));
  EXPECT_THAT(
      look("MSH|^~\\&|LAB|GEN|EHR|GEN|20260101||ORU^R01^ORU_R01||P|2.5.1\r" + kPatient).mistakes,
      ElementsAre("line 1: the control id (MSH-10) is gone"));
  const std::string without = "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101||ORU^R01\r";
  EXPECT_THAT(look(without + kPatient, without).mistakes, IsEmpty());
}

TEST(EditedMessage, OtherFormatsAreNotLookedAt) {
  EXPECT_THAT(look("{\"resourceType\":\"Patient\"}", "{}").mistakes, IsEmpty());
  EXPECT_THAT(look("no message", "none either").mistakes, IsEmpty());
  // One that could not be read, and is put right.
  EXPECT_THAT(look(kOriginal, "MHS|^~\\&|LAB").mistakes, IsEmpty());
  EXPECT_THAT(look(kOriginal + "OBXX|1\r", "MHS|^~\\&|LAB").mistakes,
              ElementsAre(HasSubstr("OBXX")));
}

TEST(EditedMessage, SegmentsThatCameOrWentAreCounted) {
  const auto looked =
      look(kHeader + "OBR|1|P1|F1\rOBX|1|NM|K||4.1\rOBX|2|NM|NA||140\rZLX|1|here\r");
  EXPECT_THAT(looked.mistakes, IsEmpty());
  EXPECT_THAT(looked.more_segments, ElementsAre(Pair("OBX", 1), Pair("PID", -1)));
  EXPECT_EQ(describe_segments(looked), "1 OBX more, 1 PID less than the original");
}

TEST(EditedMessage, WithoutTheOriginalTheNewOneIsLookedAtByItself) {
  const auto looked = look_at_edited(nullptr, make_bytes(kOriginal + "OBXX|1\r"), nullptr);
  EXPECT_THAT(looked.mistakes, ElementsAre(HasSubstr("line 6: OBXX")));
  EXPECT_THAT(looked.more_segments, IsEmpty());
}

}  // namespace
}  // namespace cannula::ops
