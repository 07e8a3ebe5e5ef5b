#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/error_codes.h"
#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> codes(std::string_view text, std::size_t limit = 100) {
  std::vector<std::string> found;
  for (const Diagnostic& finding : Message::parse(make_bytes(std::string(text)))->findings(limit)) {
    found.push_back(finding.code + (finding.path.empty() ? "" : " " + finding.path));
  }
  return found;
}

constexpr std::string_view kHead = "MSH|^~\\&|||||||ADT^A01|1|P|2.5\r";

TEST(Findings, ACleanMessageHasNone) {
  EXPECT_THAT(codes(std::string(kHead) + "PID|1\rZZ1|x\rOBX|1|ST|A||1\r"), IsEmpty());
}

TEST(Findings, AllAreToldNotTheFirst) {
  EXPECT_THAT(codes("MSH|^~&|A\rpid|1\rPID\rOBX|1|ST|A||1\rOBX|1||A||1\rMSH|^~\\&|2\r"),
              ElementsAre("H203 MSH-2", "H202 MSH-9", "H202 MSH-10", "H202 MSH-11", "H202 MSH-12",
                          "H201", "H205 PID", "H206 OBX[2]-2", "H204 MSH"));
}

TEST(Findings, StopAtTheLimitAndSaySo) {
  EXPECT_THAT(codes(std::string(kHead) + "a\rb\rc\rd\r", 2), ElementsAre("H201", "H201", "H209"));
  EXPECT_THAT(codes(std::string(kHead) + "a\rb\r", 2), ElementsAre("H201", "H201"));
}

TEST(Findings, PointAtTheBytes) {
  const std::string text = std::string(kHead) + "NTE|1||one\ntwo\rPV1|1\r";
  const auto findings = Message::parse(make_bytes(text))->findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(text.substr(findings[0].span->begin, findings[0].span->size()), "two");
  EXPECT_THAT(findings[0].hint, testing::HasSubstr("line feed"));
  EXPECT_EQ(findings[0].severity, Severity::warning);
}

TEST(Findings, AreThoseOfTheReceivedBytes) {
  auto message = *Message::parse(make_bytes(std::string(kHead)));
  ASSERT_TRUE(message.set(*Path::parse("MSH-10"), std::nullopt));
  EXPECT_THAT(message.findings(), IsEmpty());
}

TEST(ErrorCodes, AreUniqueAndExplained) {
  std::set<std::string_view> seen;
  for (const ErrorCode& each : error_codes()) {
    EXPECT_TRUE(seen.insert(each.code).second) << each.code;
    EXPECT_EQ(each.code[0], 'H');
    EXPECT_GT(each.explanation.size(), 20U) << each.code;
  }
}

}  // namespace
}  // namespace cannula::hl7v2
