#include "engine/trial/payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::trial {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kMessage =
    "MSH|^~\\&|LAB|NORTH|||20260115||ORU^R01|1|P|2.5.1\rPID|1||777001||Muster^Anna\r"
    "OBX|1|NM|K||7.1\rOBX|2|NM|NA||140\r";

std::string with(std::string_view old, std::string_view fresh) {
  std::string text(kMessage);
  text.replace(text.find(old), old.size(), fresh);
  return text;
}

TEST(Payload, LineEndsAndCharacterSetOfHl7DoNotCount) {
  std::string lines(kMessage);
  std::replace(lines.begin(), lines.end(), '\r', '\n');
  EXPECT_THAT(differences(lines, kMessage), IsEmpty());
  EXPECT_THAT(differences(lines.substr(0, lines.size() - 1), kMessage), IsEmpty());
  EXPECT_THAT(differences(with("Muster", "Müller"), with("Muster", "M\xFCller")), IsEmpty());
}

TEST(Payload, ADifferingFieldIsNamed) {
  EXPECT_THAT(differences(kMessage, with("Anna", "Anne")),
              ElementsAre("PID-5: expected \"Muster^Anna\", got \"Muster^Anne\""));
  EXPECT_THAT(differences(kMessage, with("140", "141")),
              ElementsAre("OBX[2]-5: expected \"140\", got \"141\""));
  EXPECT_THAT(differences(kMessage, with("|LAB|", "|LAX|")),
              ElementsAre("MSH-3: expected \"LAB\", got \"LAX\""));
  EXPECT_THAT(differences(kMessage, with("||140", "||")),
              ElementsAre("OBX[2]-5: expected \"140\", got nothing"));
}

TEST(Payload, SegmentsThatAreMissingOrNotExpectedAreShown) {
  EXPECT_THAT(differences(kMessage, with("OBX|1|NM|K||7.1\r", "")),
              ElementsAre("missing: OBX|1|NM|K||7.1"));
  EXPECT_THAT(differences(kMessage, std::string(kMessage) + "NTE|1||x\r"),
              ElementsAre("not expected: NTE|1||x"));
}

TEST(Payload, JsonIsComparedByMemberWithItsDigits) {
  EXPECT_THAT(differences(R"({"a": 1, "b": [true, null]})", R"({ "b":[true,null],"a":1 })"),
              IsEmpty());
  EXPECT_THAT(differences(R"({"v": 7.10})", R"({"v": 7.1})"),
              ElementsAre("v: expected 7.10, got 7.1"));
  EXPECT_THAT(differences(R"({"v": "7"})", R"({"v": 7})"), ElementsAre("v: expected \"7\", got 7"));
  EXPECT_THAT(differences(R"({"e": [{"s": "final"}], "x": 1})", R"({"e": [{"s": "amended"}, {}]})"),
              ElementsAre("e[1].s: expected \"final\", got \"amended\"",
                          "x: expected 1, got nothing", "e[2]: expected nothing, got {}"));
}

TEST(Payload, AnythingElseIsComparedByLine) {
  EXPECT_THAT(differences("one\ntwo\nthree\n", "one\nthree\nfour\n"),
              ElementsAre("missing: two", "not expected: four"));
  EXPECT_THAT(differences("plain", R"({"a":1})"), ElementsAre("expected a text, got JSON"));
}

TEST(Payload, NotMoreThanAboutTwentyDifferencesAreListed) {
  std::string expected, actual;
  for (int line = 0; line < 100; ++line) {
    expected += "a" + std::to_string(line) + "\n";
    actual += "b" + std::to_string(line) + "\n";
  }
  const auto found = differences(expected, actual);
  EXPECT_EQ(found.size(), 21u);
  EXPECT_THAT(found.back(), HasSubstr("180 more"));
}

TEST(Payload, PathsPickTexts) {
  EXPECT_THAT(*pick(kMessage, "PID-5.2"), ElementsAre("Anna"));
  EXPECT_THAT(*pick(kMessage, "OBX[*]-5"), ElementsAre("7.1", "140"));
  EXPECT_THAT(*pick(kMessage, "PV1-2"), IsEmpty());
  EXPECT_THAT(*pick(kMessage, "OBX"), ElementsAre("OBX|1|NM|K||7.1", "OBX|2|NM|NA||140"));
  constexpr std::string_view kJson = R"({"entry": [{"v": 7.10}, {"v": "x", "w": {"u": 1}}]})";
  EXPECT_THAT(*pick(kJson, "entry[1].v"), ElementsAre("7.10"));
  EXPECT_THAT(*pick(kJson, "entry[*].v"), ElementsAre("7.10", "x"));
  EXPECT_THAT(*pick(kJson, "entry[2].w"), ElementsAre("entry[2].w.u = 1"));
  EXPECT_THAT(*pick(kJson, "entry[3].v"), IsEmpty());
  EXPECT_THAT(*pick(kJson, "ent"), IsEmpty()) << "a name is whole";
  EXPECT_EQ(pick(kMessage, "PID-x").error().code, "V105");
  EXPECT_EQ(pick("plain", "a").error().code, "V105");
}

TEST(Payload, JsonIsIndentedWithItsDigitsAndOrder) {
  EXPECT_EQ(
      readable(R"({"z":1.0,"a":[{},[],"é\n"],"b":null})"),
      "{\n  \"z\": 1.0,\n  \"a\": [\n    {},\n    [],\n    \"é\\n\"\n  ],\n  \"b\": null\n}\n");
  EXPECT_EQ(readable("{broken"), "{broken");
}

TEST(Payload, AMessageComesInWithSegmentsEndedByCr) {
  EXPECT_EQ(as_message("\nMSH|^~\\&|A\nPID|1\n"), "MSH|^~\\&|A\rPID|1\r");
  EXPECT_EQ(as_message("MSH|^~\\&|A\r\nPID|1\n"), "MSH|^~\\&|A\r\nPID|1\n") << "it has its own";
  EXPECT_EQ(as_message("{\n}"), "{\n}");
}

}  // namespace
}  // namespace cannula::trial
