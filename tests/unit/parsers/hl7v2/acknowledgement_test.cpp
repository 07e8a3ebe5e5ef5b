#include "parsers/hl7v2/acknowledgement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t kTime = 1768469442123456;  // 2026-01-15 09:30:42.123456 UTC

Header header_of(std::string_view bytes) {
  return *Header::peek(bytes);
}

Header with_conditions(std::string_view accept, std::string_view application) {
  Header header = header_of("MSH|^~\\&|LAB|NORTH|EHR|WARD|2026||ORU^R01|ID-1|P|2.5.1");
  header.accept_ack = accept;
  header.application_ack = application;
  return header;
}

AckDetails details() {
  AckDetails details;
  details.time = kTime;
  details.control_id = "C-1";
  return details;
}

std::string code_of(const std::optional<std::string>& answer) {
  if (!answer) return "none";
  const auto read = Acknowledgement::parse(*answer);
  return read ? std::string(name_of(read->code)) : read.error().code;
}

TEST(Acknowledge, AcceptsInOriginalMode) {
  const Header header =
      header_of("MSH|^~\\&|LAB|NORTH|EHR|WARD|2026||ORU^R01^ORU_R01|ID-1|T|2.3.1\rPID|1");
  EXPECT_EQ(acknowledge(header, AckOutcome::accepted, details()),
            "MSH|^~\\&|EHR|WARD|LAB|NORTH|20260115093042.123+0000||ACK^R01^ACK|C-1|T|2.3.1\rMSA|AA|"
            "ID-1\r");
}

TEST(Acknowledge, SaysWhatWasWrong) {
  const Header header = header_of("MSH|^~\\&|LAB|NORTH|EHR|WARD|2026||ORU^R01|ID-1|P|2.5.1");
  AckDetails refused = details();
  refused.text = "not agreed | ORU^R30";
  refused.error_code = "201";
  refused.location = "MSH^1^9";
  refused.diagnostics = "P104";
  EXPECT_EQ(
      acknowledge(header, AckOutcome::rejected, refused),
      "MSH|^~\\&|EHR|WARD|LAB|NORTH|20260115093042.123+0000||ACK^R01^ACK|C-1|P|2.5.1\r"
      "MSA|AR|ID-1|not agreed \\F\\ ORU\\S\\R30\r"
      "ERR||MSH^1^9|201^Unsupported event code^HL70357|E|||P104|not agreed \\F\\ ORU\\S\\R30\r");
}

TEST(Acknowledge, PutsTheErrorWhereOldVersionsReadIt) {
  const Header header = header_of("MSH|^~\\&|LAB|||||| ADT^A01|7|P|2.3");
  EXPECT_THAT(*acknowledge(header, AckOutcome::error, details()),
              HasSubstr("MSA|AE|7\rERR|^^^207&Application internal error&HL70357\r"));
}

TEST(Acknowledge, FollowsTheConditionsOfEnhancedMode) {
  using enum AckOutcome;
  struct Case {
    std::string_view accept;
    std::string_view application;
    AckOutcome outcome;
    std::string_view code;
  };
  for (const Case& each : std::initializer_list<Case>{{"AL", "AL", accepted, "CA"},
                                                      {"AL", "", error, "CE"},
                                                      {"AL", "NE", rejected, "CR"},
                                                      {"NE", "AL", accepted, "AA"},
                                                      {"NE", "SU", rejected, "none"},
                                                      {"NE", "NE", error, "none"},
                                                      {"ER", "AL", accepted, "AA"},
                                                      {"ER", "AL", error, "CE"},
                                                      {"ER", "NE", accepted, "none"},
                                                      {"NE", "", rejected, "none"},
                                                      {"ER", "", accepted, "none"},
                                                      {"ER", "", error, "CE"},
                                                      {"SU", "", accepted, "CA"},
                                                      {"SU", "", rejected, "none"},
                                                      {"", "AL", accepted, "AA"},
                                                      {"", "NE", accepted, "none"},
                                                      {"", "ER", accepted, "none"},
                                                      {"", "ER", error, "AE"},
                                                      {"??", "", accepted, "CA"},
                                                      {"", "", rejected, "AR"}}) {
    EXPECT_EQ(code_of(acknowledge(with_conditions(each.accept, each.application), each.outcome,
                                  details())),
              each.code)
        << each.accept << "/" << each.application;
  }
}

TEST(Acknowledge, ACommitAsksForNothingAndNobodyAcknowledgesAnAcknowledgement) {
  EXPECT_THAT(*acknowledge(with_conditions("AL", "AL"), AckOutcome::accepted, details()),
              HasSubstr("|P|2.5.1\rMSA|CA|"));
  EXPECT_THAT(build_acknowledgement(with_conditions("AL", "AL"), AckCode::AA, details()),
              HasSubstr("|P|2.5.1|||NE|NE\rMSA|AA|"));
}

TEST(Acknowledge, SpeaksTheDelimitersAndCharacterSetOfTheSender) {
  const Header header = header_of("MSH#!@%*#LAB####2026##ORU!R01#ID#P#2.5######8859/1");
  EXPECT_EQ(
      *acknowledge(header, AckOutcome::accepted, details()),
      "MSH#!@%*###LAB##20260115093042.123+0000##ACK!R01!ACK#C-1#P#2.5######8859/1\rMSA#AA#ID\r");
}

TEST(Acknowledge, IsNotLabelledAsUtf16) {
  const std::string text = "MSH|^~\\&|LAB||||2026||ORU^R01|ID|P|2.5||||||UNICODE UTF-16\r";
  std::string wide;
  for (const char c : text) (wide += c) += '\0';
  EXPECT_THAT(*acknowledge(header_of(wide), AckOutcome::accepted, details()),
              HasSubstr("|C-1|P|2.5\rMSA|AA|ID\r"));
}

TEST(Acknowledge, AnswersBytesWithoutMsh) {
  AckDetails refused = details();
  refused.text = "there is no MSH segment";
  const std::string answer = acknowledge_unreadable(refused);
  EXPECT_THAT(answer, StartsWith("MSH|^~\\&|||||20260115093042.123+0000||ACK|C-1|P|2.5.1\r"));
  EXPECT_THAT(answer, HasSubstr("\rMSA|AR||there is no MSH segment\rERR|||207^"));
}

TEST(Acknowledge, EveryAnswerIsAMessageThatReadsBack) {
  for (AckOutcome outcome : {AckOutcome::accepted, AckOutcome::error, AckOutcome::rejected}) {
    AckDetails said = details();
    said.text = "what | was ^ wrong\rhere";
    said.error_code = "102";
    const std::string answer = *acknowledge(with_conditions("", ""), outcome, said);
    const auto read = Acknowledgement::parse(answer);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->control_id, "ID-1");
    EXPECT_EQ(read->text, said.text);
    EXPECT_EQ(read->error_code, outcome == AckOutcome::accepted ? "" : "102");
    EXPECT_EQ(read->positive(), outcome == AckOutcome::accepted);
    EXPECT_TRUE(Message::parse(make_bytes(answer))->findings().empty());
  }
}

TEST(Acknowledge, NothingThatIsRepeatedTearsIt) {
  const Header header = header_of(
      "MSH|^~\\&|L\x1C\x0B"
      "AB|NO\x01RTH|E\x1CHR|W\x1B$B|2026||ORU^R\x1C"
      "01^X|I\x1C\x07"
      "D\x0B-1|P\x02|2.\x1C"
      "5.1||||||8859/1");
  AckDetails said = details();
  const AckError error{
      "10\x1C"
      "2",
      "PID\x0B", "E\x1C", "torn\x1C\r", "at\x0B"};
  said.errors = {&error, 1};
  said.text = "torn\x1C";
  const std::string answer = *acknowledge(header, AckOutcome::error, said);
  EXPECT_EQ(answer,
            "MSH|^~\\&|EHR|W\x1B$B|LAB|NORTH|20260115093042.123+0000||ACK^R01^ACK|C-1|P|2.5.1||||||"
            "8859/1\rMSA|AE|I\x07"
            "D-1|torn\r"
            "ERR||PID|102^^HL70357|E|||at|torn\\X0D\\\r");
}

TEST(Acknowledge, WithoutACharacterSetNothingSwitchesIt) {
  const Header header = header_of("MSH|^~\\&|LAB|\x1B$B|EHR|WARD|2026||ORU^R01|7|P|2.5.1");
  EXPECT_THAT(*acknowledge(header, AckOutcome::accepted, details()), HasSubstr("|LAB|$B|2026"));
}

TEST(ReadAcknowledgement, TakesTheTextFromErrWhereMsaHasNone) {
  const auto read = Acknowledgement::parse(
      "MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|CE|9\rERR|||207^Internal^HL70357|E|||trace\\T\\|The ward "
      "is unknown\r");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->code, AckCode::CE);
  EXPECT_EQ(read->text, "The ward is unknown");
  EXPECT_EQ(read->error_code, "207");
  const auto old = Acknowledgement::parse(
      "MSH|^~\\&|||||||ACK|1|P|2.3\rMSA|AR|9\rERR|^^^203&Unsupported version&HL70357\r");
  EXPECT_EQ(old->text, "Unsupported version");
  EXPECT_EQ(old->error_code, "203");
}

TEST(ReadAcknowledgement, FailsWithoutACode) {
  EXPECT_EQ(Acknowledgement::parse("").error().code, "H101");
  EXPECT_EQ(Acknowledgement::parse("MSH|^~\\&|||||||ORU^R01|1\rPID|1").error().code, "H401");
  EXPECT_EQ(Acknowledgement::parse("MSH|^~\\&|||||||ACK|1\rMSA||1").error().code, "H402");
  EXPECT_EQ(Acknowledgement::parse("MSH|^~\\&|||||||ACK|1\rMSA|OK|1").error().code, "H402");
}

std::string message_of(std::string_view version) {
  return "MSH|^~\\&|LAB|NORTH|CANNULA|HOSP|1||ORU^R01^ORU_R01|1|P|" + std::string(version) + "\r";
}

std::string with_two_errors(std::string_view version) {
  const std::string message = message_of(version);
  const AckError errors[] = {{"101", "PID^1^3", "", "PID-3 is missing", "V1"},
                             {"103", "OBX^2^8", "W", "|odd", ""}};
  AckDetails details;
  details.control_id = "7";
  details.text = "two errors";
  details.errors = errors;
  return build_acknowledgement(*Header::peek(message), AckCode::AE, details);
}

TEST(Acknowledgement, NamesEachErrorInASegmentOfItsOwn) {
  const std::string ack = with_two_errors("2.5.1");
  EXPECT_NE(ack.find("ERR||PID^1^3|101^Required field missing^HL70357|E|||V1|PID-3 is missing\r"
                     "ERR||OBX^2^8|103^Table value not found^HL70357|W||||\\F\\odd\r"),
            std::string::npos)
      << ack;
}

TEST(Acknowledgement, NamesErrorsAsRepetitionsBeforeVersion2_5) {
  const std::string ack = with_two_errors("2.3.1");
  EXPECT_NE(ack.find("MSA|AE|1|two errors\r"
                     "ERR|PID^1^3^101&Required field missing&HL70357~"
                     "OBX^2^8^103&Table value not found&HL70357\r"),
            std::string::npos)
      << ack;
}

TEST(Acknowledgement, NamesNoStructureToSendersBefore2_3_1) {
  EXPECT_NE(with_two_errors("2.3").find("|ACK^R01|"), std::string::npos);
  EXPECT_NE(with_two_errors("2.3.1").find("|ACK^R01^ACK|"), std::string::npos);
}

TEST(Acknowledgement, KeepsMsa3ToItsLengthWhereErr8HasTheWhole) {
  const std::string long_text(100, 'x');
  const std::string newer = message_of("2.5.1");
  const std::string older = message_of("2.3.1");
  AckDetails details;
  details.text = long_text;
  EXPECT_NE(build_acknowledgement(*Header::peek(newer), AckCode::AE, details)
                .find("MSA|AE|1|" + std::string(80, 'x') + "\r"),
            std::string::npos);
  EXPECT_NE(build_acknowledgement(*Header::peek(older), AckCode::AE, details)
                .find("MSA|AE|1|" + long_text + "\r"),
            std::string::npos);
}

TEST(Acknowledgement, IsCutBetweenWordsAndReadAsTheWholeThatErr8Has) {
  const std::string text =
      "the address 192.0.2.7 is not one that the partner example-lab sends from (if it should be, "
      "add it to `from` in partners/example-lab.toml)";
  AckDetails details;
  details.text = text;
  const std::string ack =
      build_acknowledgement(*Header::peek(message_of("2.5.1")), AckCode::AR, details);
  EXPECT_NE(ack.find("MSA|AR|1|the address 192.0.2.7 is not one that the partner example-lab sends "
                     "from ...\r"),
            std::string::npos)
      << ack;
  EXPECT_EQ(Acknowledgement::parse(ack)->text, text);
  // What only looks alike stays as the partner wrote it.
  EXPECT_EQ(Acknowledgement::parse("MSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|AR|1|refused\r"
                                   "ERR|||207|E||||refused by a person\r")
                ->text,
            "refused");
}

TEST(Acknowledgement, SaysWhichSequenceNumberIsExpected) {
  const std::string message = message_of("2.5.1");
  AckDetails details;
  details.expected_sequence = -1;
  const std::string ack = build_acknowledgement(*Header::peek(message), AckCode::AA, details);
  EXPECT_NE(ack.find("MSA|AA|1||-1\r"), std::string::npos) << ack;
  EXPECT_EQ(Acknowledgement::parse(ack)->expected_sequence, "-1");
}

}  // namespace
}  // namespace cannula::hl7v2
