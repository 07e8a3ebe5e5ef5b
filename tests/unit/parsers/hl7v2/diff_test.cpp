#include "parsers/hl7v2/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Message message(std::string segments, std::string_view delimiters = "^~\\&") {
  std::string text = "MSH|" + std::string(delimiters) + "|LAB|||||||";
  text += "1|P|2.5.1\r" + std::move(segments);
  return *Message::parse(make_bytes(text));
}

// "PID-5.1: MUSTER -> TESTPERSON", "+OBX[2]: OBX|2", "-NTE: NTE|1"
std::vector<std::string> differences(const Message& before, const Message& after,
                                     const DiffOptions& options = {}) {
  std::vector<std::string> lines;
  for (const Difference& each : diff(before, after, options)) {
    switch (each.kind) {
      case Difference::Kind::added:
        lines.push_back("+" + each.path.text() + ": " + each.after);
        break;
      case Difference::Kind::removed:
        lines.push_back("-" + each.path.text() + ": " + each.before);
        break;
      case Difference::Kind::changed:
        lines.push_back(each.path.text() + ": " + each.before + " -> " + each.after);
    }
  }
  return lines;
}

TEST(Diff, AMessageDoesNotDifferFromItself) {
  const Message one = message("PID|1||4711^^^CLINIC~4712||Muster^Anna\rOBX|1|NM|K^^L||4.1\r");
  EXPECT_THAT(differences(one, one), IsEmpty());
}

TEST(Diff, NamesTheValueThatChanged) {
  EXPECT_THAT(differences(message("PID|1||4711^^^CLINIC||Muster^Anna\r"),
                          message("PID|1||4711^^^CLINIC||Testperson^Anna\r")),
              ElementsAre("PID-5.1: Muster -> Testperson"));
}

TEST(Diff, NamesTheRepetitionWhereThereAreSeveral) {
  EXPECT_THAT(
      differences(message("PID|1||4711~4712^^^A&1.2\r"), message("PID|1||4711~4712^^^A&1.3\r")),
      ElementsAre("PID-3[2].4.2: 1.2 -> 1.3"));
  EXPECT_THAT(differences(message("PID|1||4711\r"), message("PID|1||4711~4712\r")),
              ElementsAre("+PID-3[2].1: 4712"));
}

TEST(Diff, ASegmentPutInBetweenIsOneDifference) {
  EXPECT_THAT(differences(message("OBX|1|NM|A||1\rOBX|2|NM|C||3\r"),
                          message("OBX|1|NM|A||1\rOBX|2|NM|B||2\rOBX|3|NM|C||3\r")),
              ElementsAre("+OBX[2]: OBX|2|NM|B||2", "OBX[3]-1: 2 -> 3"));
}

TEST(Diff, ARemovedSegmentIsShownWhereItStood) {
  EXPECT_THAT(differences(message("NTE|1||x\rPID|1\rPV1|1\r"), message("PID|1||4711\rPV1|1\r")),
              ElementsAre("-NTE: NTE|1||x", "+PID-3.1: 4711"));
}

TEST(Diff, ASegmentInAnotherPlaceIsRemovedAndAdded) {
  EXPECT_THAT(
      differences(message("PID|1\rPV1|1\rZZZ|1\rPD1|1\r"), message("ZZZ|1\rPID|1\rPV1|1\rPD1|1\r")),
      ElementsAre("+ZZZ: ZZZ|1", "-ZZZ: ZZZ|1"));
}

TEST(Diff, NullAndNotPopulatedDiffer) {
  EXPECT_THAT(differences(message("PID|1||||\"\"\r"), message("PID|1\r")),
              ElementsAre("-PID-5: \"\""));
}

TEST(Diff, OtherDelimitersAndTrailingSeparatorsAreNoDifferenceOfValues) {
  EXPECT_THAT(
      differences(message("PID|1||4711^^^CLINIC|||||\r"), message("PID|1||4711^^^CLINIC\r")),
      IsEmpty());
  EXPECT_THAT(
      differences(message("PID|1||4711^^^CLINIC\r"), message("PID|1||4711!!!CLINIC\r", "!~\\&")),
      ElementsAre("MSH-2: ^~\\& -> !~\\&"));
}

TEST(Diff, LeavesOutWhatItIsToldTo) {
  const Message before = message("PID|1||4711^^^CLINIC||Muster\r");
  const Message after = message("PID|2||4711^^^OTHER||Testperson\rNTE|1||new\r");
  DiffOptions options;
  for (const char* path : {"PID-1", "PID-3.4", "NTE"}) options.ignore.push_back(*Path::parse(path));
  EXPECT_THAT(differences(before, after, options), ElementsAre("PID-5.1: Muster -> Testperson"));
}

TEST(Diff, ThousandsOfSegmentsOnBothSidesTakeNoSquareOfTheirNumber) {
  std::string left;
  std::string right;
  for (int i = 0; i < 50000; ++i) {
    left += "OBX|1|NM|K||" + std::to_string(i) + "\r";
    right += "OBX|1|NM|K||" + std::to_string(i + 50000) + "\r";
  }
  EXPECT_EQ(diff(message(left), message(right)).size(), 50000u);
}

}  // namespace
}  // namespace cannula::hl7v2
