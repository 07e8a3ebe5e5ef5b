#include "parsers/hl7v2/values.h"

#include <gtest/gtest.h>

#include "parsers/hl7v2/date_time.h"

namespace cannula::hl7v2 {
namespace {

constexpr std::string_view kPatient =
    "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ADT^A08|M1|P|2.5.1\r"
    "PID|1||4711^2^M10^NORTH&1.2.3&ISO^MR^WEST^20200101^^X&Y&Z~888^^^CITY^PI||"
    "Muster&von&Muster^An\\T\\na^B^^Dr.^^L^^extra^more||||||"
    "12 Elm St&Elm St&12^Apt 3^Springfield^IL^62701^USA^H^^Sangamon|\"\"\r";

Message patient() {
  return *Message::parse(make_bytes(std::string(kPatient)));
}
Place at(const Message& message, std::string_view path) {
  return *message.locate(*Path::parse(path));
}

TEST(Values, PartsAreReadWithTheirSubcomponents) {
  const Message message = patient();
  const auto id = read<Cx>(message, at(message, "PID-3[1]"));
  EXPECT_EQ(id.id, "4711");
  EXPECT_EQ(id.check_digit, "2");
  EXPECT_EQ(id.assigning_authority.namespace_id, "NORTH");
  EXPECT_EQ(id.assigning_authority.universal_id, "1.2.3");
  EXPECT_EQ(id.assigning_authority.universal_id_type, "ISO");
  EXPECT_EQ(id.identifier_type, "MR");
  EXPECT_EQ(id.assigning_facility.namespace_id, "WEST");
  EXPECT_EQ(id.effective_date, "20200101");
  EXPECT_EQ(id.assigning_jurisdiction.system, "Z");
  EXPECT_EQ(read<Cx>(message, at(message, "PID-3[2]")).id, "888");

  const auto name = read<Xpn>(message, at(message, "PID-5"));
  EXPECT_EQ(name.family.surname, "Muster");
  EXPECT_EQ(name.family.own_prefix, "von");
  EXPECT_EQ(name.given, "An&na");
  EXPECT_EQ(name.prefix, "Dr.");

  const auto address = read<Xad>(message, at(message, "PID-11"));
  EXPECT_EQ(address.street.number, "12");
  EXPECT_EQ(address.county, "Sangamon");
}

TEST(Values, AComponentIsReadByItsSubcomponents) {
  const Message message = patient();
  const auto authority = read<Hd>(message, at(message, "PID-3.4"));
  EXPECT_EQ(authority.namespace_id, "NORTH");
  EXPECT_EQ(authority.universal_id_type, "ISO");
}

TEST(Values, AbsentIsEmptyAndNullIsTwoQuotes) {
  const Message message = patient();
  EXPECT_EQ(read<Cwe>(message, at(message, "PID-10")).identifier, "");
  EXPECT_EQ(read<Cx>(message, at(message, "PID-12")).id, "\"\"");
}

template <class Value>
void expect_identity(std::string_view path) {
  Message message = patient();
  const Place place = at(message, path);
  ASSERT_TRUE(write(message, place, read<Value>(message, place)));
  EXPECT_FALSE(message.edited()) << path;
}

TEST(Values, WritingWhatWasReadChangesNoByteWhateverTheType) {
  for (const std::string_view path :
       {"PID-3[1]", "PID-3[2]", "PID-3[1].4", "PID-5", "PID-10", "PID-11", "PID-12", "PID-40"}) {
    expect_identity<Cx>(path);
    expect_identity<Xpn>(path);
    expect_identity<Xcn>(path);
    expect_identity<Xad>(path);
    expect_identity<Xtn>(path);
    expect_identity<Cwe>(path);
    expect_identity<Hd>(path);
    expect_identity<Sn>(path);
  }
}

TEST(Values, OneChangedPartIsWrittenAndComponentsWithoutAMemberStay) {
  Message message = patient();
  const Place place = at(message, "PID-5");
  auto name = read<Xpn>(message, place);
  name.given = "Eva|Maria";
  name.prefix.clear();
  ASSERT_TRUE(write(message, place, name));
  EXPECT_EQ(message.raw(place), "Muster&von&Muster^Eva\\F\\Maria^B^^^^L^^extra^more");
}

TEST(Values, AreEncodedWithoutTrailingEmptyComponents) {
  Cx id;
  id.id = "47^11";
  id.assigning_authority.universal_id = "1.2.3";
  id.identifier_type = "MR";
  EXPECT_EQ(encode(id, Delimiters{}), "47\\S\\11^^^&1.2.3^MR");
  EXPECT_EQ(encode(Cx{}, Delimiters{}), "");
  const Delimiters own{'|', '!', '@', '%', '*', 0};
  EXPECT_EQ(encode(id, own), "47^11!!!*1.2.3!MR");
}

TEST(Number, KeepsItsDigits) {
  EXPECT_EQ(read_number("7.10")->text, "7.10");
  EXPECT_EQ(read_number("7.10")->value, 7.1);
  EXPECT_EQ(read_number(" +007 ")->text, "7");
  EXPECT_EQ(read_number("-.5")->text, "-0.5");
  EXPECT_EQ(read_number("5.")->text, "5");
  EXPECT_EQ(read_number("0")->text, "0");
  for (const std::string_view text : {"", "-", ".", "1e5", "7,1", "1.2.3", "<5", "0x1F", "7 1"}) {
    EXPECT_FALSE(read_number(text)) << text;
  }
}

TEST(StructuredNumber, IsReadFromWhatPeopleWrite) {
  const auto check = [](std::string_view text, std::string_view encoded) {
    const auto value = read_structured_number(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(encode(*value, Delimiters{}), encoded) << text;
  };
  check("<5", "<^5");
  check(">= 7.10", ">=^7.10");
  check("100-200", "^100^-^200");
  check("1:128", "^1^:^128");
  check("3+", "^3^+");
  check("-4.5", "^-4.5");
  for (const std::string_view text : {"", "<", "positive", "5 mg", "1:", "1-2-3"}) {
    EXPECT_FALSE(read_structured_number(text)) << text;
  }
}

TEST(DateTime, KeepsPrecisionAndOffset) {
  for (const std::string_view text :
       {"2026", "202601", "20260115", "2026011509", "202601150930", "20260115093042",
        "20260115093042.5", "20260115093042.1234", "20260115093042-0500", "202601150930+0530",
        "2026-0500", "20260115093042.50-0000", "20260115093042+0000"}) {
    const auto time = DateTime::parse(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(time->text(), text);
  }
  const auto time = *DateTime::parse("202601150930-0500");
  EXPECT_EQ(time.precision, DateTime::Precision::minute);
  EXPECT_EQ(time.offset->count(), -300);
  EXPECT_FALSE(DateTime::parse("20260115")->offset);
}

TEST(DateTime, ReadsWhatIsoSaysAndWhatTsAdds) {
  EXPECT_EQ(DateTime::parse("2026-01-15T09:30:42.5-05:00")->text(), "20260115093042.5-0500");
  EXPECT_EQ(DateTime::parse("2026-01")->text(), "202601");
  EXPECT_EQ(DateTime::parse("20260115000000", "D")->text(), "20260115");
  EXPECT_EQ(DateTime::parse("20260115", "S")->text(), "20260115");
  EXPECT_EQ(DateTime::parse("20260115", "")->iso_date(), "2026-01-15");
}

TEST(DateTime, SaysWhatIsWrong) {
  EXPECT_EQ(DateTime::parse("20261315").error().code, "H501");
  for (const std::string_view text :
       {"", "26", "20260230", "2026011524", "202601150960", "20260115093042 EST", "\"\"",
        "2026-1-5", "20260115093042.5+05", "20260115093042+9900"}) {
    EXPECT_FALSE(DateTime::parse(text)) << text;
  }
}

TEST(DateTime, IsAMomentByItsOffsetOrTheClocksZone) {
  EXPECT_EQ(DateTime::parse("20260115093042.123456-0500")->microseconds(TimeZone::utc()),
            1768487442'123456);
  EXPECT_EQ(DateTime::parse("20260115093042")->microseconds(*TimeZone::find("+0100")),
            1768465842'000000);
}

}  // namespace
}  // namespace cannula::hl7v2
