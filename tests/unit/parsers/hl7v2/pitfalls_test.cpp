// What people report of other engines (facts gathered from public issues): here each is a test that
// names it. Both sides: the odd thing works, and its ordinary neighbour still does.
#include <gtest/gtest.h>

#include "parsers/hl7v2/date_time.h"
#include "parsers/hl7v2/encapsulated.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/values.h"
#include "parsers/text/base64.h"

namespace cannula::hl7v2 {
namespace {

const std::string kHeader = "MSH|^~\\&|LAB|N|EHR|W|20260115||ORU^R01^ORU_R01|1|P|2.5.1\r";

Message parsed(const std::string& segments, const std::string& header = kHeader) {
  auto message = Message::parse(make_bytes(header + segments));
  EXPECT_TRUE(message) << message.error().text();
  return *message;
}
std::string get(const Message& message, std::string_view path) {
  return message.get(*Path::parse(path)).value_or("(absent)");
}
void set(Message& message, std::string_view path, std::optional<std::string_view> text) {
  ASSERT_TRUE(message.set(*Path::parse(path), text));
}
std::string decoded(std::string_view text) {
  return unescape(text, Delimiters{});
}
std::string encoded(std::string_view text) {
  return escape(text, Delimiters{});
}

// -- OBX-2 and OBX-5

// nHapi#63, hapi-hl7v2#12: a missing or invalid OBX-2 stops the parse.
TEST(Pitfall, nHapi63_hapi12_ABadTypeInObx2StopsNothing) {
  for (const std::string_view type : {"", "XX", "\"\"", "NM^", "nm", "ED"}) {
    const Message message =
        parsed("OBX|1|" + std::string(type) + "|K||7.1|mmol/L\rOBX|2|NM|L||5\r");
    EXPECT_EQ(get(message, "OBX-5"), "7.1") << type;
    EXPECT_EQ(get(message, "OBX[2]-5"), "5") << type;
  }
  const auto findings = parsed("OBX|1||K||7.1\r").findings();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "H206");
  EXPECT_EQ(findings[0].path, "OBX[1]-2");
}

// The OBX-2 of one segment says nothing about the next.
TEST(Pitfall, VaryingObx2IsReadPerSegment) {
  const Message message =
      parsed("OBX|1|ST|K||a&b^c\rOBX|2|CWE|L||a&b^c\rOBX|3|SN|M||>^5\rOBX|4|TX|N||x^y\r");
  EXPECT_EQ(get(message, "OBX-5"), "a&b^c");
  EXPECT_EQ(get(message, "OBX[2]-5.1"), "a&b");
  EXPECT_EQ(get(message, "OBX[3]-5.2"), "5");
  EXPECT_EQ(get(message, "OBX[4]-5"), "x^y");
}

// nHapi#22: a repetition of OBX-5 is refused in 2.2 and 2.3.
TEST(Pitfall, nHapi22_Obx5RepeatsInEveryVersion) {
  for (const std::string_view version : {"2.1", "2.2", "2.3", "2.5.1", "2.9"}) {
    const Message message = parsed("OBX|1|ST|K||one~two~three\r",
                                   "MSH|^~\\&|A|||B|||ORU^R01|1|P|" + std::string(version) + "\r");
    EXPECT_EQ(message.get_all(*Path::parse("OBX-5[*]")),
              (std::vector<std::string>{"one", "two", "three"}));
  }
}

// nHapi#594: OBX-5 of more than 65,536 characters is refused. connect#1665: 1.6 MB took minutes.
TEST(Pitfall, nHapi594_connect1665_ALongObx5IsReadWhereItStands) {
  const std::string data = encode_base64(std::string(3u << 20, 'x'));
  const Message message = parsed("OBX|1|ED|PDF||^Application^PDF^Base64^" + data + "||||||F\r");
  EXPECT_EQ(get(message, "OBX-11"), "F");
  std::string space;
  const std::string_view text = message.text(*message.locate(*Path::parse("OBX-5.5")), space);
  EXPECT_TRUE(text == data);
  EXPECT_TRUE(space.empty()) << "the document was copied to be read";
  EXPECT_EQ(read_encapsulated(message, *message.locate(*Path::parse("OBX-5")))->bytes.size(),
            3u << 20);
}

// nHapi#570: unescaped & and ^ in FT, such as HTML and addresses of pages.
TEST(Pitfall, nHapi570_DelimitersInTextAreText) {
  const std::string page = "<a href=\"http://x.example/?a=1&b=2\">2^10</a>";
  for (const std::string_view type : {"FT", "TX", "ST"}) {
    Message message = parsed("OBX|1|" + std::string(type) + "|K||" + page + "||||||F\r");
    EXPECT_EQ(get(message, "OBX-5"), page);
    set(message, "OBX-11", "C");
    EXPECT_NE(message.encode().find(page), std::string::npos) << "kept as it came";
  }
  EXPECT_EQ(get(parsed("OBX|1|CWE|K||a^b\r"), "OBX-5.2"), "b");
}

// -- Segments

// nHapi#40, #51, #54, #93, hapi-hl7v2#25, hl7apy#89: Z and unexpected segments derail later ones.
TEST(Pitfall, nHapi40_51_54_93_hapi25_hl7apy89_UnexpectedSegmentsDerailNothing) {
  const std::string segments =
      "ZBE|\rPID|1||4711\rZZ1|a|b\rXYZ|1\rOBR|1||F1\rNK1|1|Muster\rOBX|1|NM|K||7.1\rZBX|kept^as "
      "is\r";
  Message message = parsed(segments);
  EXPECT_EQ(get(message, "PID-3"), "4711");
  EXPECT_EQ(get(message, "OBX-5"), "7.1");
  EXPECT_EQ(get(message, "ZBX-1.2"), "as is");
  const auto observations = message.groups("OBSERVATION");
  ASSERT_EQ(observations.size(), 1u);
  set(message, "PID-3", "4712");
  EXPECT_NE(message.encode().find("ZBX|kept^as is\r"), std::string::npos);
  EXPECT_NE(message.encode().find("ZBE|\r"), std::string::npos);
}

// nHapi#264: a group whose first segment is missing.
TEST(Pitfall, nHapi264_AGroupWithoutItsFirstSegmentIsAGroup) {
  const Message message = parsed("OBR|1\rOBX|1|NM|K||7.1\rOBR|2\rOBX|1|NM|L||5\r");
  const auto orders = message.groups("ORDER_OBSERVATION");
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(message.groups("OBSERVATION", orders[1]).size(), 1u);
}

// -- Escapes

// python-hl7#84: \E\R\ lost its backslash. ruby-hl7#80, HL7-dotnetcore#77: a lone backslash.
TEST(Pitfall, python84_ruby80_dotnetcore77_BackslashesSurvive) {
  EXPECT_EQ(decoded("\\E\\R\\"), "\\R\\");
  EXPECT_EQ(encoded("\\R\\"), "\\E\\R\\E\\");
  for (const std::string_view text : {"C:\\temp", "a\\b\\", "\\", "50\\50"}) {
    EXPECT_EQ(decoded(text), text);
    EXPECT_EQ(decoded(encoded(text)), text);
  }
}

// Efferent HL7-V2#40: Epic escapes twice, \E\x09\E\.
TEST(Pitfall, efferent40_WhatWasEscapedTwiceIsDecodedOnce) {
  EXPECT_EQ(decoded("\\E\\X09\\E\\"), "\\X09\\");
  EXPECT_EQ(encoded("\\X09\\"), "\\E\\X09\\E\\");
  EXPECT_EQ(decoded("\\E\\x09\\E\\"), "\\x09\\");
}

// HL7-dotnetcore#53: \X000d\ against \X0D\.
TEST(Pitfall, dotnetcore53_HexadecimalPairsAreBytes) {
  EXPECT_EQ(decoded("\\X0D\\"), "\r");
  EXPECT_EQ(decoded("\\X0D0A\\"), "\r\n");
  EXPECT_EQ(decoded("\\X000d\\"), std::string("\0\r", 2));
}

// hapi-hl7v2#7: \r was not escaped again. dcm4che#845: \X must not become a delimiter.
TEST(Pitfall, hapi7_dcm4che845_WhatHexadecimalStoodForIsEscapedAgain) {
  for (const std::string_view text : {"\\X7C\\", "\\X5E\\", "\\X0D\\", "\\X7E26\\", "\\X5C\\"}) {
    Message message = parsed("NTE|1||" + std::string(text) + "|next\r");
    const std::string read = get(message, "NTE-3");
    set(message, "NTE-3", "other");
    set(message, "NTE-3", read);
    const Message again = parsed(message.encode().substr(kHeader.size()));
    EXPECT_EQ(get(again, "NTE-3"), read) << text;
    EXPECT_EQ(get(again, "NTE-4"), "next") << text;
    EXPECT_EQ(again.segment_count(), 2u) << text;
  }
}

// connect#1588: text is not unescaped. A leaf is; what is composite stays encoded.
TEST(Pitfall, connect1588_ALeafIsUnescapedAndACompositeIsNot) {
  const Message message = parsed("PID|1||||O\\T\\Brien^An\\S\\na\rNTE|1||a \\F\\ b\r");
  EXPECT_EQ(get(message, "PID-5.1"), "O\\T\\Brien") << "FN is a composite";
  EXPECT_EQ(get(message, "PID-5.1.1"), "O&Brien");
  EXPECT_EQ(get(message, "PID-5.2"), "An^na");
  EXPECT_EQ(get(message, "NTE-3"), "a | b");
}

// HL7-dotnetcore#112: MSH-2 without the escape character, ^~&.
TEST(Pitfall, dotnetcore112_Msh2OfThreeCharacters) {
  const Message message = parsed("PID|1||4711^^^N&1.2&ISO||C:\\temp^x~y\r", "MSH|^~&|A|B\r");
  EXPECT_EQ(get(message, "PID-3.4.2"), "1.2");
  EXPECT_EQ(get(message, "PID-5.1"), "C:\\temp");
  EXPECT_EQ(get(message, "PID-5[2].1"), "y");
  const Message escaping = parsed("PID|1||4711||a^x&y \\S\\\r", "MSH|^~\\|A|B\r");
  EXPECT_EQ(get(escaping, "PID-5.2"), "x&y ^");
}

// 2.4.5.2: the truncation character, and any delimiters that are legal.
TEST(Pitfall, AnyLegalDelimitersAndTheTruncationCharacter) {
  Message message =
      parsed("NTE|1||truncated#|CWE\rNTE|2||50\\P\\\r", "MSH|^~\\&#|A|B|||||||P|2.7\r");
  EXPECT_EQ(message.delimiters().truncation, '#');
  EXPECT_EQ(get(message, "NTE-3"), "truncated#");
  EXPECT_EQ(get(message, "NTE[2]-3"), "50#");
  set(message, "NTE-3", "ends with #");
  EXPECT_NE(message.encode().find("|ends with \\P\\|CWE\r"), std::string::npos);
  const Message other = parsed("PID$1$$4711!!!N*1.2\r", "MSH$!@%*$A$B\r");
  EXPECT_EQ(get(other, "PID-3.4.2"), "1.2");
}

// -- Null, empty, trailing

// HL7-dotnetcore#28, hl7apy#98, dcm4chee#998: null "" is not empty; panates#14: it is no date.
TEST(Pitfall, dotnetcore28_hl7apy98_dcm4chee998_panates14_NullIsNotAbsent) {
  Message message = parsed("PID|1||4711||Muster^\"\"||\"\"|F||\"\"\r");
  EXPECT_EQ(get(message, "PID-7"), "\"\"");
  EXPECT_TRUE(message.is_null(*Path::parse("PID-7")));
  EXPECT_TRUE(message.is_null(*Path::parse("PID-5.2")));
  EXPECT_FALSE(message.is_null(*Path::parse("PID-9")));
  EXPECT_EQ(get(message, "PID-9"), "(absent)");
  EXPECT_FALSE(DateTime::parse(get(message, "PID-7")));
  set(message, "PID-9", "\"\"");
  EXPECT_TRUE(message.is_null(*Path::parse("PID-9")));
}

// HL7-dotnetcore#3: trailing empty fields are lost. connect#3096: subcomponents leak into others.
TEST(Pitfall, dotnetcore3_connect3096_AnEditTouchesItsFieldOnly) {
  const std::string segments =
      "PID|1||4711^^^N&1&ISO^MR^||Muster^Anna^^^||||||||\rPV1|1|I|A^^^B&&|||\r";
  Message message = parsed(segments);
  set(message, "PID-5.2", "Eva");
  EXPECT_EQ(message.encode(),
            kHeader + "PID|1||4711^^^N&1&ISO^MR^||Muster^Eva^^^||||||||\rPV1|1|I|A^^^B&&|||\r");
}

// -- Character sets and bytes around the message

// camel#10880: "UNICODE UTF-8" is unknown; FHIR-Converter#78: umlauts dropped; NHapiTools#3, #28.
TEST(Pitfall, camel10880_converter78_nhapitools3_28_NamesOfTable0211AreKnown) {
  const auto name = [](std::string_view label, std::string_view bytes) {
    const auto message =
        decode(make_bytes("MSH|^~\\&|A|||B|||ADT^A08|1|P|2.5||||||" + std::string(label) +
                          "\rPID|1||||" + std::string(bytes) + "\r"));
    return get(message->message, "PID-5");
  };
  EXPECT_EQ(name("UNICODE UTF-8", "Jürgen"), "Jürgen");
  EXPECT_EQ(name("8859/1", "J\xFCrgen"), "Jürgen");
  EXPECT_EQ(name("8859/15", "\xA4"), "€");
  EXPECT_EQ(name("8859/2", "Nov\xE1k"), "Novák");
  EXPECT_EQ(name("~ISO IR87", "\x1B$B;3ED\x1B(B"), "山田");
  EXPECT_EQ(name("ISO IR6~ISO IR159", "\x1B$B;3ED\x1B(B"), "山田");
  EXPECT_EQ(name("GB 18030-2000", "\xC0\xEE"), "李");
  EXPECT_EQ(name("", "J\xFCrgen"), "Jürgen");
}

// dcm4che#465: a byte order mark before the message.
TEST(Pitfall, dcm4che465_AByteOrderMarkIsKeptAndNotRead) {
  for (const std::string_view before :
       {"\xEF\xBB\xBF", "\xEF\xBB\xBF\x0B", "\x0B\xEF\xBB\xBF", "\r\n"}) {
    const std::string bytes = std::string(before) + kHeader + "PID|1\r";
    const auto message = Message::parse(make_bytes(bytes));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->type(), "ORU^R01");
    EXPECT_EQ(message->encode(), bytes);
  }
}

// connect#923, txHL7#10: the last CR is cut off or doubled.
TEST(Pitfall, connect923_txhl710_LineEndsStayAsTheyCame) {
  for (const std::string_view end :
       {"", "\r", "\r\r", "\n", "\r\n", "\r\n\r\n", "\r\x1C", "\r\x1C\r"}) {
    const std::string bytes = kHeader + "PID|1||4711\r\nPV1|1|I\nOBX|1|NM|K||5" + std::string(end);
    auto message = Message::parse(make_bytes(bytes));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->segment_count(), 4u);
    EXPECT_EQ(get(*message, "OBX-5"), "5");
    EXPECT_EQ(message->encode(), bytes);
    set(*message, "PID-3", "4712");
    EXPECT_EQ(message->encode().size(), bytes.size());
  }
}

// A text that a sender did not escape: a line feed inside a field.
TEST(Pitfall, ALineFeedInsideAFieldIsSaidAndKept) {
  const Message message = parsed("NTE|1||first line\nsecond line of it\rOBX|1|NM|K||5\r");
  EXPECT_EQ(get(message, "OBX-5"), "5");
  const auto findings = message.findings();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "H201");
}

// 2.5.2, 2.7.1: fields, components and repetitions beyond those of the version are ignored, and are
// there all the same.
TEST(RulesOfTheStandard, MoreThanIsExpectedIsIgnoredAndKept) {
  const std::string fields(60, '|');
  const std::string segments = "PID|1||4711^1^M11^N^MR^W^^^^^more~4712|" + fields +
                               "|last\rPV1|1|I|A^B^C^D^E^F^G^H^I^J^K^L^M&1&2&3&4\r";
  Message message = parsed(segments, "MSH|^~\\&|LAB|N|EHR|W|20260115||ORU^R01|1|P|9.9|x\r");
  EXPECT_EQ(get(message, "PID-3.1"), "4711");
  EXPECT_EQ(get(message, "PID-3.11"), "more");
  EXPECT_EQ(get(message, "PID-3[2].1"), "4712");
  EXPECT_EQ(get(message, "PID-65"), "last");
  EXPECT_EQ(get(message, "PV1-3.13.5"), "4");
  set(message, "PID-3.1", "4713");
  EXPECT_NE(message.encode().find("|4713^1^M11^N^MR^W^^^^^more~4712|" + fields + "|last\r"),
            std::string::npos);
}

// -0500 became 0500, and precision was lost (design, section 9).
TEST(Pitfall, OffsetsAndPrecisionAreKept) {
  Message message = parsed("OBX|1|DTM|T||20260115093042.10-0500\rOBX|2|DTM|U||202601\r");
  for (const std::string_view path : {"OBX-5", "OBX[2]-5"}) {
    const std::string text = get(message, path);
    EXPECT_EQ(DateTime::parse(text)->text(), text);
  }
  EXPECT_FALSE(message.edited());
}

}  // namespace
}  // namespace cannula::hl7v2
