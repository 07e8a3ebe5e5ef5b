#include "parsers/hl7v2/validation/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/validation/primitives.h"

namespace cannula::hl7v2 {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

Message message(std::string_view event, std::string_view segments,
                std::string_view version = "2.5.1") {
  std::string text = "MSH|^~\\&|LAB|X|EHR|Y|20260101||" + std::string(event) + "|1|P|" +
                     std::string(version) + "\r" + std::string(segments);
  return *Message::parse(make_bytes(text));
}

// A clean result, to spoil a little in each test.
const std::string kPid = "PID|1||4711^^^CLINIC^MR||Muster^Anna||19800101|F\r";
const std::string kObr = "OBR|1|||K^Potassium^L\r";
Message result(std::string_view rest, std::string_view version = "2.5.1") {
  return message("ORU^R01^ORU_R01", kPid + kObr + std::string(rest), version);
}

// "H705 PID-7.1"
std::vector<std::string> found(const Message& message, const ValidationRules& rules = {}) {
  std::vector<std::string> lines;
  for (const Finding& each : validate(message, rules)) {
    lines.push_back(std::string(each.code) + " " + each.path);
  }
  return lines;
}

TEST(Validation, ACleanMessageHasNoFindings) {
  EXPECT_THAT(found(result("OBX|1|NM|K^Potassium^L||4.1|mmol/L|3.5-5.1|N|||F\r")), IsEmpty());
  EXPECT_THAT(found(message("ADT^A08^ADT_A01", "EVN||20260101\r" + kPid + "PV1|1|I|W1^2^1\r")),
              IsEmpty());
}

TEST(Validation, SaysExactlyWhereAndWhereToCountIt) {
  const auto findings =
      validate(message("ADT^A08",
                       "EVN||20260101\r"
                       "PID|1||4711^^^CLINIC^MR~4712^^^CLINIC^MR^^1980-01-01||Muster\rPV1|1|I\r"));
  ASSERT_GE(findings.size(), 1U);
  EXPECT_EQ(findings[0].path, "PID-3[2].7");
  EXPECT_EQ(findings[0].group_path, "PID-3.7");
  EXPECT_EQ(findings[0].code, "H705");
  EXPECT_EQ(findings[0].condition, "102");
  EXPECT_EQ(findings[0].severity, Severity::error);
}

TEST(Validation, ReportsAllFindingsNotTheFirst) {
  EXPECT_THAT(
      found(result("OBX|x|NM|K||high||||||Q\rOBX|2|NM|K||high||||||Q\r")),
      ElementsAre("H705 OBX-1", "H705 OBX-5", "H704 OBX-11", "H705 OBX[2]-5", "H704 OBX[2]-11"));
}

TEST(Validation, RequiredFieldsAndComponents) {
  EXPECT_THAT(found(result("OBX|1|NM|K||4.1\r")), ElementsAre("H701 OBX-11"));
  EXPECT_THAT(found(message("ORU^R01", "PID|1||^^^CLINIC||Muster\r" + kObr)),
              ElementsAre("H702 PID-3.1"));
}

// Looked for one by one from the begin, these would take hours, and senders could stop a channel
// that validates.
TEST(Validation, AMillionRepetitionsOrSeparatorsAreLookedAtInOneGo) {
  std::string numbers = "4711^^^CLINIC^MR";
  for (int i = 0; i < 300'000; ++i) numbers += "~4711^^^CLINIC^MR";
  const std::string carets(1'000'000, '^'), ampersands(1'000'000, '&');
  EXPECT_THAT(found(message("ORU^R01^ORU_R01", "PID|1||" + numbers + "||Muster^Anna\r" + kObr)),
              IsEmpty());
  EXPECT_THAT(
      found(message("ORU^R01^ORU_R01", "PID|1||4711^^^CLINIC" + ampersands + "^MR" + carets +
                                           "||Muster^Anna" + carets + "x\r" + kObr)),
      ElementsAre("H712 PID-5"));
}

TEST(Validation, NullIsPopulated) {
  EXPECT_THAT(found(message("ORU^R01", "PID|1||\"\"||\"\"||\"\"|\"\"\r" + kObr)), IsEmpty());
}

TEST(Validation, LengthsAreThoseOfTheVersion) {
  const std::string obx = "OBX|1|NM|K||4.1||" + std::string(300, 'x') + "||||F\r";
  EXPECT_THAT(found(result(obx)), ElementsAre("H703 OBX-7"));
  EXPECT_THAT(found(result(obx, "2.8")), Not(Contains("H703 OBX-7")));
}

TEST(Validation, CodesOfUserDefinedTablesAreTheSites) {
  EXPECT_THAT(found(message("ORU^R01", "PID|1||4711||Muster|||weird\r" + kObr)),
              Not(Contains("H704 PID-8")));
}

TEST(Validation, TheTypeOfAnObservationIsNamedByObx2) {
  EXPECT_THAT(found(result("OBX|1|ST|K||high||||||F\r")), IsEmpty());
  EXPECT_THAT(found(result("OBX|1|DT|K||high||||||F\r")), ElementsAre("H705 OBX-5"));
  EXPECT_THAT(found(result("OBX|1||K||high||||||F\r")), ElementsAre("H715 OBX-2"));
  EXPECT_THAT(found(result("OBX|1|QQ|K||high||||||F\r")), ElementsAre("H715 OBX-2"));
}

TEST(Validation, RepetitionsBeyondTheVersion) {
  EXPECT_THAT(found(message("ORU^R01", "PID|1||4711||Muster||1980~1981\r" + kObr)),
              ElementsAre("H706 PID-7[2]"));
}

TEST(Validation, SegmentsAgainstTheStructure) {
  const std::string obx = "OBX|1|ST|K||x||||||F\r";
  EXPECT_THAT(found(message("ADT^A08", "EVN||20260101\r" + kPid)), ElementsAre("H710 PV1"));
  EXPECT_THAT(found(message("ORU^R01", kPid + obx)), ElementsAre("H710 OBR"));
  EXPECT_THAT(found(result("EVN||20260101\r")), ElementsAre("H708 EVN"));
  EXPECT_THAT(found(message("ADT^A08", "EVN||20260101\r" + kPid + "PV1|1|I\rPV1|2|I\r")),
              ElementsAre("H709 PV1[2]"));
  EXPECT_THAT(found(result("QQQ|1\rZPI|1\r" + obx)), ElementsAre("H707 QQQ"));
}

TEST(Validation, EveryOccurrenceOfAGroupIsLookedAt) {
  const std::string obx = "OBX|1|ST|K||x||||||F\r";
  EXPECT_THAT(
      found(message("ORU^R01", kPid + kObr + obx + "ORC|RE\r" + obx + "ORC|RE\r" + kObr + obx)),
      ElementsAre("H710 OBR"));
}

TEST(Validation, WhatIsBeyondADefinitionIsANote) {
  const auto findings =
      validate(result("OBX|1|ST|K^^^^^^7^8||x||||||F" + std::string(20, '|') + "x\r"));
  ASSERT_EQ(findings.size(), 2U);
  for (const Finding& each : findings) {
    EXPECT_EQ(each.code, "H712");
    EXPECT_EQ(each.severity, Severity::note);
  }
}

TEST(Validation, AnUnknownVersionIsLookedAtAs251) {
  EXPECT_THAT(found(result("", "7.1")), Contains("H713 MSH-12.1"));
  ValidationRules rules;
  rules.version = Version::v2_5_1;
  EXPECT_THAT(found(result("", "7.1"), rules), Not(Contains("H713 MSH-12.1")));
}

TEST(Validation, FindingsBeyondTheLimitAreCounted) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "OBX|1|NM|K||x||||||F\r";
  ValidationRules rules;
  rules.limit = 10;
  const auto findings = validate(result(many), rules);
  ASSERT_EQ(findings.size(), 11U);
  EXPECT_EQ(findings.back().code, "H719");
  EXPECT_NE(findings.back().message.find("1990 more"), std::string::npos);
}

TEST(Validation, TimesAreLookedAtInEveryVersion) {
  for (const char* version : {"2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.7"}) {
    const auto times_in = [&](const std::string& born) {
      const std::string text = std::string("MSH|^~\\&|A|B|C|D|20260115||ADT^A08|1|P|") + version +
                               "\rEVN|A08|20260115\rPID|1||1||M^J||" + born + "|F\rPV1|1|I\r";
      std::size_t wrong = 0;
      for (const Finding& each : validate(*Message::parse(make_bytes(text)), {}))
        wrong += each.code == "H705";
      return wrong;
    };
    EXPECT_EQ(times_in("20260231"), 1U) << version;
    EXPECT_EQ(times_in("19700101"), 0U) << version;
    EXPECT_EQ(times_in("197001011200-0500"), 0U) << version;
  }
}

// The package of 2.3.1 has OBX-4 as waveforms need it.
TEST(Validation, NoVersionRequiresASubId) {
  for (const char* version : {"2.2", "2.3", "2.3.1", "2.4", "2.5.1", "2.7"})
    EXPECT_THAT(found(result("OBX|1|NM|K||5||||||F\r", version)), Not(Contains("H701 OBX-4")))
        << version;
}

TEST(Validation, NobodyHidesAnErrorBehindLesserFindings) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "XYZ|1\r";
  many += "OBX|1|NM|K||x||||||F\r";
  ValidationRules rules;
  rules.limit = 10;
  const auto findings = validate(result(many), rules);
  ASSERT_EQ(findings.size(), 11U);
  EXPECT_THAT(findings, Contains(testing::Field(&Finding::path, "OBX-5")));
  EXPECT_THAT(findings, Contains(testing::Field(&Finding::severity, Severity::warning)));
}

TEST(Validation, MessagesHoldNoValues) {
  for (const Finding& each :
       validate(message("ORU^R01", "PID|1||4711||Muster||unreal-date\r" + kObr))) {
    EXPECT_EQ(each.message.find("unreal"), std::string::npos) << each.message;
  }
}

TEST(Validation, PointsIntoTheReceivedBytes) {
  const Message spoiled = result("OBX|1|NM|K||high||||||F\r");
  const auto findings = validate(spoiled);
  ASSERT_EQ(findings.size(), 1U);
  const Diagnostic diagnostic = diagnostic_of(findings[0], spoiled);
  ASSERT_TRUE(diagnostic.span);
  EXPECT_EQ(spoiled.received()->substr(diagnostic.span->begin, diagnostic.span->size()), "high");
  EXPECT_EQ(error_location(findings[0], spoiled), "OBX^1^5^1");
}

TEST(Validation, ErrNamesTheSegmentThatIsMissing) {
  const Message without = message("ADT^A08", "EVN||20260101\r" + kPid);
  const auto findings = validate(without);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(error_location(findings[0], without), "PV1^1");
}

TEST(Primitives, FormsOfDatesTimesAndNumbers) {
  for (const char* text : {"1980", "198002", "19800229", "20000229"})
    EXPECT_EQ(wrong_with("DT", text), "") << text;
  for (const char* text : {"198", "19810229", "19801301", "1980-01-01", "19800101120000", ""})
    EXPECT_NE(wrong_with("DT", text), "") << text;
  for (const char* text : {"2026", "202601151230", "20260115123000.1234-0500", "2026+0100"})
    EXPECT_EQ(wrong_with("DTM", text), "") << text;
  for (const char* text :
       {"2026011524", "20260115123000.", "20260115123000.12345", "202601151", "20260115T1200"})
    EXPECT_NE(wrong_with("DTM", text), "") << text;
  for (const char* text : {"12", "1200", "120000.5+0100"})
    EXPECT_EQ(wrong_with("TM", text), "") << text;
  EXPECT_NE(wrong_with("TM", "12:00"), "");
  for (const char* text : {"1", "-1.5", "+.5", "5."}) EXPECT_EQ(wrong_with("NM", text), "") << text;
  for (const char* text : {"<5", "1e5", "1,5", "-", "", "."})
    EXPECT_NE(wrong_with("NM", text), "") << text;
  EXPECT_EQ(wrong_with("ST", "anything"), "");
}

}  // namespace
}  // namespace cannula::hl7v2
