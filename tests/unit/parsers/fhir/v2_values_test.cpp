#include "parsers/fhir/v2_values.h"

#include <gtest/gtest.h>

namespace cannula::fhir {
namespace {

TEST(V2Values, DatesKeepTheirPrecision) {
  EXPECT_EQ(date_of("19610615"), "1961-06-15");
  EXPECT_EQ(date_of("196106"), "1961-06");
  EXPECT_EQ(date_of("1961"), "1961");
  EXPECT_EQ(date_of("20260115093042+0100"), "2026-01-15");
  EXPECT_EQ(date_of("2026-01-15T09:30:42Z"), "2026-01-15");
  for (const char* wrong : {"", "19610631", "196", "unknown", "19610615x", "1961-06-15-01"}) {
    EXPECT_EQ(date_of(wrong), std::nullopt) << wrong;
  }
}

TEST(V2Values, TimesHaveTheirOffsetOrThatOfTheZone) {
  const TimeZone vienna = TimeZone::find("Europe/Vienna").value();
  bool needs_zone = false;
  const auto read = [&](std::string_view text) {
    return date_time_of(text, {std::nullopt, &vienna}, &needs_zone);
  };
  EXPECT_EQ(read("20260115093042"), "2026-01-15T09:30:42+01:00");
  EXPECT_EQ(read("20260715093042"), "2026-07-15T09:30:42+02:00");
  EXPECT_EQ(read("202601150930"), "2026-01-15T09:30:00+01:00");
  EXPECT_EQ(read("2026011509"), "2026-01-15T09:00:00+01:00");
  EXPECT_EQ(read("20260115093042.1234-0500"), "2026-01-15T09:30:42.1234-05:00");
  EXPECT_EQ(read("2026-01-15T09:30:42Z"), "2026-01-15T09:30:42+00:00");
  EXPECT_EQ(read("20260115"), "2026-01-15");
  EXPECT_EQ(read("202601"), "2026-01");
  EXPECT_EQ(read("20260115253042"), std::nullopt);
  EXPECT_EQ(read("soon"), std::nullopt);
  EXPECT_FALSE(needs_zone);
  EXPECT_EQ(date_time_of("20260115093042", {}, &needs_zone), std::nullopt);
  EXPECT_TRUE(needs_zone);
  EXPECT_EQ(date_time_of("20260115", {}, &needs_zone), "2026-01-15");
}

TEST(V2Values, TheOffsetOfTheMessageGoesBeforeTheZone) {
  const TimeZone vienna = TimeZone::find("Europe/Vienna").value();
  bool needs_zone = false;
  const Clock clock{std::chrono::minutes(-210), &vienna};
  EXPECT_EQ(date_time_of("20260715093042", clock, &needs_zone), "2026-07-15T09:30:42-03:30");
  EXPECT_EQ(date_time_of("20260715093042+0000", clock, &needs_zone), "2026-07-15T09:30:42+00:00");
  EXPECT_EQ(date_time_of("20260715", clock, &needs_zone), "2026-07-15");
  EXPECT_EQ(date_time_of("2026071509", {std::chrono::minutes(60), nullptr}, &needs_zone),
            "2026-07-15T09:00:00+01:00");
  EXPECT_FALSE(needs_zone);
}

TEST(V2Values, NumbersKeepTheirDigits) {
  EXPECT_EQ(number_of("7.10"), "7.10");
  EXPECT_EQ(number_of("+7.10"), "7.10");
  EXPECT_EQ(number_of("-007"), "-7");
  EXPECT_EQ(number_of(".5"), "0.5");
  EXPECT_EQ(number_of("5."), "5");
  EXPECT_EQ(number_of("0"), "0");
  EXPECT_EQ(number_of(" 3.5 "), "3.5");
  for (const char* wrong : {"", "<5", "7,1", "-", ".", "1.2.3", "neg"}) {
    EXPECT_EQ(number_of(wrong), std::nullopt) << wrong;
  }
}

TEST(V2Values, CodeSystemsHaveUris) {
  EXPECT_EQ(code_system_uri("LN"), "http://loinc.org");
  EXPECT_EQ(code_system_uri("HL70078"), "http://terminology.hl7.org/CodeSystem/v2-0078");
  EXPECT_EQ(code_system_uri("2.16.840.1.113883.6.1"), "urn:oid:2.16.840.1.113883.6.1");
  EXPECT_EQ(code_system_uri("99LAB"), "urn:id:99LAB");
  EXPECT_EQ(code_system_uri("MY LAB"), "urn:id:MY%20LAB");
  EXPECT_EQ(code_system_uri(""), "");
}

TEST(V2Values, AuthoritiesHaveUris) {
  EXPECT_EQ(authority_uri("NORTH", "", ""), "urn:id:NORTH");
  EXPECT_EQ(authority_uri("NORTH", "1.2.40.0.10", "ISO"), "urn:oid:1.2.40.0.10");
  EXPECT_EQ(authority_uri("", "http://north.example", "URI"), "http://north.example");
  EXPECT_EQ(authority_uri("", "", ""), "");
}

TEST(V2Values, CodesOfSmallTables) {
  EXPECT_EQ(gender_of("F"), "female");
  EXPECT_EQ(gender_of("A"), "other");
  EXPECT_EQ(gender_of("?"), "unknown");
  EXPECT_EQ(name_use_of("L"), "official");
  EXPECT_EQ(address_use_of("H"), "home");
  EXPECT_EQ(telecom_of("PRN", "CP").use, "mobile");
  EXPECT_EQ(telecom_of("NET", "").system, "email");
  EXPECT_EQ(code_of("  a  b "), "a b");
}

}  // namespace
}  // namespace cannula::fhir
