#include "parsers/hl7v2/validation/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/validation/site_segments.h"
#include "parsers/hl7v2/validation/validation.h"

namespace cannula::hl7v2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<const Source> source(std::string text) {
  return std::make_shared<const Source>("lab.profile", std::move(text));
}

Profile profile(std::string text) {
  std::vector<Diagnostic> findings;
  Profile read = Profile::read(source(std::move(text)), findings);
  EXPECT_TRUE(findings.empty()) << render(findings);
  return read;
}

std::string errors(std::string text) {
  std::vector<Diagnostic> findings;
  Profile::read(source(std::move(text)), findings);
  return render(findings);
}

// What the profile adds to a message with the usual header: "H721 PID-3.1".
std::vector<std::string> found(const Profile& profile, std::string_view segments) {
  const Message message = *Message::parse(
      make_bytes("MSH|^~\\&|LAB|X|EHR|Y|20260101||ORU^R01|1|P|2.5.1\r" + std::string(segments)));
  ValidationRules rules;
  rules.profiles = {&profile};
  std::vector<std::string> lines;
  for (const Finding& each : validate(message, rules)) {
    if (each.code >= "H721") lines.push_back(std::string(each.code) + " " + each.path);
  }
  return lines;
}

TEST(Profile, RequiresSegmentsFieldsAndComponents) {
  const Profile rules = profile("PV1 required\nPID-3.1 required\nOBX-6 required");
  EXPECT_THAT(found(rules, "PID|1||4711~^^^CLINIC\rOBX|1|NM|K||1|mmol/L\rOBX|2|NM|K||1\r"),
              ElementsAre("H721 PV1", "H721 PID-3[2].1", "H721 OBX[2]-6"));
}

TEST(Profile, ForbidsSegmentsAndFields) {
  const Profile rules = profile("NTE forbidden\nPID-19 forbidden says \"not here\"");
  EXPECT_THAT(found(rules, "PID|1||4711||||||||||||||||000\rNTE|1||x\r"),
              ElementsAre("H722 PID-19", "H722 NTE"));
}

TEST(Profile, LengthsCodesTypesAndRepetitions) {
  const Profile rules = profile(
      "codes wards W1 W2\n"
      "PID-3.1 length 4..6\n"
      "PID-8 one of F M\n"
      "PV1-3.1 table wards\n"
      "PID-30 table 0136\n"
      "PID-3 at most 1 times\n"
      "OBX-5 type NM");
  EXPECT_THAT(found(rules, "PID|1||123~1234567|||||X\rPV1|1|I|W9\rOBX|1|ST|K||high\r"),
              ElementsAre("H723 PID-3[1].1", "H723 PID-3[2].1", "H724 PID-8", "H726 PID-3",
                          "H724 PV1-3.1", "H725 OBX-5"));
  EXPECT_THAT(found(rules, "PID|1||1234|||||F\rPV1|1|I|W1\rOBX|1|ST|K||5\r"), IsEmpty());
}

TEST(Profile, ConditionsLookIntoTheSameSegmentOrTheNearestBefore) {
  const Profile rules = profile(
      "OBX-6 required when OBX-2 is NM and OBR-4.1 is not NOUNIT\n"
      "OBX-7 required when OBX-2 is one of NM SN and PID-8 is valued\n"
      "PV1 required when PID-8 is empty");
  EXPECT_THAT(found(rules,
                    "PID|1||1|||||F\rOBR|1|||K\rOBX|1|NM|K||1\rOBX|2|ST|K||1\r"
                    "OBR|2|||NOUNIT\rOBX|1|NM|K||1||1-2\r"),
              ElementsAre("H721 OBX-6", "H721 OBX-7"));
  EXPECT_THAT(found(rules, "PID|1||1\r"), ElementsAre("H721 PV1"));
}

TEST(Profile, IsForTheMessagesItNames) {
  EXPECT_THAT(found(profile("messages ADT\nPV1 required"), "PID|1\r"), IsEmpty());
  EXPECT_THAT(found(profile("messages ADT ORU\nPV1 required"), "PID|1\r"), ElementsAre("H721 PV1"));
}

TEST(Profile, SaysWithACaretWhatItExpected) {
  EXPECT_THAT(errors("PID-3 must"),
              HasSubstr("lab.profile:1:7: error[H731]: `must` stands where `required`"));
  EXPECT_THAT(errors("PID-3"), HasSubstr("1:6: error[H731]: the line ends where"));
  EXPECT_THAT(errors("\nhello world"), HasSubstr("2:1: error[H731]: `hello` stands where a place"));
  EXPECT_THAT(errors("PID-99 required"), HasSubstr("1:1: warning[H732]: PID has"));
  EXPECT_THAT(errors("PXX-1 required"), HasSubstr("warning[H732]: no version has a segment PXX"));
  EXPECT_THAT(errors("PID-8 table wards"), HasSubstr("error[H733]"));
  EXPECT_THAT(errors("PID-3 length 9..1"), HasSubstr("error[H731]"));
  EXPECT_THAT(errors("PID-3 required when PID-8 F"), HasSubstr("where `is` is expected"));
  EXPECT_THAT(errors("profile \"open"), HasSubstr("quotes are not closed"));
}

TEST(SiteSegments, DefineWhatNobodyElseDoes) {
  std::vector<Diagnostic> findings;
  SiteSegments site;
  site.read(source("# ours\nsegment ZPI \"Local patient data\"\n"
                   "  ZPI-1 \"Plan code\" ST required length 4\n"
                   "  ZPI-3 \"Consent\" ID table 0136\n"),
            findings);
  ASSERT_TRUE(findings.empty()) << render(findings);
  ASSERT_NE(site.segment("ZPI"), nullptr);
  EXPECT_EQ(site.segment("ZPI")->field(1)->name, "Plan code");
  EXPECT_EQ(site.segment("ZZZ"), nullptr);

  const Message message = *Message::parse(
      make_bytes("MSH|^~\\&|LAB|X|EHR|Y|20260101||ADT^A08|1|P|2.5.1\rEVN||2026\rPID|1||1||Muster\r"
                 "PV1|1|I\rZPI||x|Q\rZPI|12345||Y\r"));
  ValidationRules rules;
  rules.site_segments = &site;
  std::vector<std::string> lines;
  for (const Finding& each : validate(message, rules)) {
    lines.push_back(std::string(each.code) + " " + each.path);
  }
  EXPECT_THAT(lines, ElementsAre("H701 ZPI-1", "H704 ZPI-3", "H703 ZPI[2]-1"));
}

TEST(SiteSegments, SayWithACaretWhatTheyExpected) {
  std::vector<Diagnostic> findings;
  SiteSegments site;
  site.read(source("ZPI-1 \"x\" ST\nsegment PID\nsegment ZPI\n ZPX-1 \"x\" ST\n ZPI-1 \"x\" QQ\n"),
            findings);
  EXPECT_EQ(findings.size(), 4U) << render(findings);
}

}  // namespace
}  // namespace cannula::hl7v2
