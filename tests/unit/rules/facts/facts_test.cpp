#include "rules/facts/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/message.h"
#include "rules/facts/moment.h"
#include "rules/facts/quantity_text.h"

namespace cannula::facts {
namespace {

using std::chrono::minutes;
using Status = Observation::Status;
using Precision = Moment::Precision;

constexpr std::int64_t kSecond = 1'000'000;

Case facts_of(std::string_view segments, std::string_view zone = "") {
  std::string text = "MSH|^~\\&|LAB|TEST|EHR|TEST|20260115083000||ORU^R01^ORU_R01|1|P|2.5.1\r" +
                     std::string(segments);
  const auto message = hl7v2::Message::parse(make_bytes(std::move(text)));
  EXPECT_TRUE(message.has_value());
  return from_hl7v2(*message, zone);
}

Observation observation(std::string_view obx) {
  const Case facts = facts_of("PID|1\rOBR|1\r" + std::string(obx) + "\r");
  EXPECT_EQ(facts.observations.size(), 1U);
  return facts.observations.empty() ? Observation{} : facts.observations.front();
}

std::optional<Moment> moment(std::string_view text, minutes offset = minutes(0)) {
  return read_moment(text, [offset](std::int64_t) { return offset; });
}

TEST(Moments, AreAsPreciseAsTheyAreWritten) {
  EXPECT_EQ(moment("2026")->precision, Precision::year);
  EXPECT_EQ(moment("202601")->precision, Precision::month);
  EXPECT_EQ(moment("20260115")->precision, Precision::day);
  EXPECT_EQ(moment("2026011508")->precision, Precision::hour);
  EXPECT_EQ(moment("20260115083042.5")->precision, Precision::fraction);
  EXPECT_EQ(moment("20260115083042.5")->microseconds, 1768465842 * kSecond + 500'000);
}

TEST(Moments, TakeTheOffsetInTheTextBeforeTheOneGiven) {
  EXPECT_EQ(moment("20260115083042+0100", minutes(-300))->microseconds, 1768462242 * kSecond);
  EXPECT_EQ(moment("20260115083042", minutes(-300))->microseconds, 1768483842 * kSecond);
  EXPECT_EQ(moment("20260115083042-0500")->local_day,
            std::chrono::year(2026) / std::chrono::January / 15);
}

TEST(Moments, WhatIsNoTimeIsNone) {
  for (const std::string_view text :
       {"", "abc", "2026011", "20260230", "20261301", "20260115250000", "20260115083042.",
        "20260115+99", "00000101", "2026-01-15", "202601150830421"}) {
    EXPECT_FALSE(moment(text).has_value()) << text;
  }
}

TEST(Numbers, AreReadWithTheirDigitsAndComparator) {
  EXPECT_EQ(read_number("7.10")->number.text, "7.10");
  EXPECT_DOUBLE_EQ(read_number(" -3.5 ")->number.value, -3.5);
  EXPECT_EQ(read_number("<5")->comparator, Comparator::less);
  EXPECT_EQ(read_number(">= 100")->comparator, Comparator::greater_or_equal);
  EXPECT_EQ(read_number("≤0.5")->comparator, Comparator::less_or_equal);
  for (const std::string_view text : {"", "-", "inf", "nan", "1,234", "7.1 mmol/L", "<", "0x10"}) {
    EXPECT_FALSE(read_number(text).has_value()) << text;
  }
}

TEST(Ranges, HaveTwoBoundsOrOne) {
  EXPECT_DOUBLE_EQ(*read_range("3.5-5.1")->low, 3.5);
  EXPECT_DOUBLE_EQ(*read_range("3.5 - 5.1")->high, 5.1);
  EXPECT_DOUBLE_EQ(*read_range("-2-3")->low, -2);
  EXPECT_FALSE(read_range("<5")->low.has_value());
  EXPECT_TRUE(read_range("<5")->high_excluded);
  EXPECT_FALSE(read_range(">=60")->low_excluded);
  for (const std::string_view text : {"", "negative", "5.1-3.5", "see note", "5"}) {
    EXPECT_FALSE(read_range(text).has_value()) << text;
  }
}

TEST(FactsOfHl7v2, ThePatientIsOfPid) {
  const Case facts = facts_of("PID|1||1^^^T||Testperson^Toni||19860704|F\r");
  ASSERT_TRUE(facts.patient.born.has_value());
  EXPECT_EQ(facts.patient.born->local_day, std::chrono::year(1986) / std::chrono::July / 4);
  EXPECT_EQ(facts.patient.sex, Patient::Sex::female);
  EXPECT_EQ(facts_of("PID|1||||||junk|X\r").patient.sex, Patient::Sex::unknown);
  EXPECT_FALSE(facts_of("PID|1||||||junk|X\r").patient.born.has_value());
}

TEST(FactsOfHl7v2, OfTwoPatientsOnlyWhatIsTheSameIsKnown) {
  const Case facts = facts_of("PID|1||||||19860704|F\rPID|2||||||19900101|F\r");
  EXPECT_FALSE(facts.patient.born.has_value());
  EXPECT_EQ(facts.patient.sex, Patient::Sex::female);
}

TEST(FactsOfHl7v2, AnObservationHasItsCodesWithTheNamesOfTheirSystems) {
  const Observation found = observation(
      "OBX|1|NM|2823-3^Potassium^LN^K^Kalium^99LAB||7.10|mmol/L|3.5-5.1|HH~A|||F|||"
      "20260115081500");
  ASSERT_EQ(found.codes.size(), 2U);
  EXPECT_EQ(found.codes[0], (Code{"loinc", "2823-3", "Potassium"}));
  EXPECT_EQ(found.codes[1], (Code{"99LAB", "K", "Kalium"}));
  EXPECT_EQ(found.value->text, "7.10");
  EXPECT_EQ(found.unit, "mmol/L");
  EXPECT_EQ(found.reference_range, "3.5-5.1");
  EXPECT_THAT(found.flags, testing::ElementsAre("HH", "A"));
  EXPECT_EQ(found.status, Status::final);
  EXPECT_EQ(found.place, "OBX[1]");
}

TEST(FactsOfHl7v2, ValuesAreReadByTypeAndByLook) {
  EXPECT_EQ(observation("OBX|1|SN|A||<^5").comparator, Comparator::less);
  EXPECT_DOUBLE_EQ(observation("OBX|1|SN|A||^100").value->value, 100);
  EXPECT_EQ(observation("OBX|1|SN|A||^1^:^128").text, "1:128");
  EXPECT_FALSE(observation("OBX|1|SN|A||^1^:^128").value.has_value());
  EXPECT_DOUBLE_EQ(observation("OBX|1|ST|A||4.2").value->value, 4.2);
  EXPECT_DOUBLE_EQ(observation("OBX|1|NM|A||>10").value->value, 10);
  EXPECT_DOUBLE_EQ(observation("OBX|1||A||4.2").value->value, 4.2);
  EXPECT_EQ(observation("OBX|1|ST|A||Positive").text, "Positive");
  EXPECT_EQ(observation("OBX|1|TX|A||one~two").text, "one\ntwo");
  EXPECT_EQ(observation("OBX|1|NM|A||\"\"").value.has_value(), false);
  EXPECT_EQ(observation("OBX|1|ED|A||^TEXT^^Base64^AAAA").text, "");
  const Observation coded = observation("OBX|1|CWE|A||10828004^Positive^SCT");
  ASSERT_EQ(coded.coded_values.size(), 1U);
  EXPECT_EQ(coded.coded_values[0], (Code{"snomed", "10828004", "Positive"}));
}

TEST(FactsOfHl7v2, TheStatusIsItsMeaning) {
  const std::pair<char, Status> statuses[] = {
      {'F', Status::final},       {'C', Status::corrected}, {'P', Status::preliminary},
      {'R', Status::preliminary}, {'X', Status::cancelled}, {'W', Status::wrong},
      {'D', Status::wrong},       {'S', Status::partial},   {'I', Status::pending},
      {'Z', Status::unknown}};
  for (const auto& [code, status] : statuses) {
    EXPECT_EQ(observation(std::string("OBX|1|NM|A||1||||||") + code).status, status) << code;
  }
}

TEST(FactsOfHl7v2, TheTimeIsOfTheResultElseTheOrderElseTheSpecimen) {
  EXPECT_EQ(facts_of("OBR|1||||||2026011507\rOBX|1|NM|A||1|||||||||20260115081500\r")
                .observations[0]
                .time->precision,
            Precision::second);
  EXPECT_EQ(facts_of("OBR|1||||||2026011507\rOBX|1|NM|A||1\r").observations[0].time->precision,
            Precision::hour);
  EXPECT_EQ(facts_of("OBR|1\rOBX|1|NM|A||1\rSPM|1||||||||||||||||20260115\r")
                .observations[0]
                .time->precision,
            Precision::day);
  EXPECT_FALSE(facts_of("OBR|1\rOBX|1|NM|A||1\r").observations[0].time.has_value());
}

TEST(FactsOfHl7v2, ATimeWithoutAnOffsetIsInTheZoneOfTheChannel) {
  const Case facts = facts_of("OBR|1\rOBX|1|NM|A||1|||||||||20260715083000\r", "Europe/Vienna");
  EXPECT_EQ(facts.observations[0].time->microseconds, 1784097000 * kSecond);  // 06:30 UTC
}

// The same in FHIR: tests/unit/engine/script/fhir_test.cpp.
TEST(FactsOfHl7v2, ATimeWithoutAnOffsetHasThatOfMsh7) {
  const auto message = hl7v2::Message::parse(
      make_bytes("MSH|^~\\&|LAB|TEST|EHR|TEST|20260715063000+0100||ORU^R01^ORU_R01|1|P|2.5.1\r"
                 "OBR|1\rOBX|1|NM|A||1|||||||||20260715083000\r"
                 "OBX|2|NM|A||1|||||||||20260715083000-0500\r"));
  ASSERT_TRUE(message.has_value());
  const Case facts = from_hl7v2(*message, "America/New_York");
  ASSERT_EQ(facts.observations.size(), 2U);
  EXPECT_EQ(facts.observations[0].time->microseconds, 1784100600 * kSecond);  // 07:30 UTC
  EXPECT_EQ(facts.observations[1].time->microseconds, 1784122200 * kSecond);  // 13:30 UTC
}

TEST(FactsOfHl7v2, SpecimenConditionsAreOfTheOrder) {
  const Case facts = facts_of("OBR|1\rOBX|1|NM|A||1\rSPM|1|||BLD" + std::string(20, '|') +
                              "HEM^Hemolyzed~RH\rOBR|2" + std::string(14, '|') +
                              "BLD^^slightly lipemic\rOBX|1|NM|B||2\rOBR|3\rOBX|1|NM|B||2\r");
  ASSERT_EQ(facts.observations.size(), 3U);
  EXPECT_THAT(facts.observations[0].specimen_conditions,
              testing::ElementsAre(Code{"HL70493", "HEM", "Hemolyzed"}, Code{"HL70493", "RH", ""}));
  EXPECT_THAT(facts.observations[1].specimen_conditions,
              testing::ElementsAre(Code{"", "", "slightly lipemic"}));
  EXPECT_TRUE(facts.observations[2].specimen_conditions.empty());
}

}  // namespace
}  // namespace cannula::facts
