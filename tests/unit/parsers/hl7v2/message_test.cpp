#include "parsers/hl7v2/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::Optional;

constexpr std::string_view kResult =
    "MSH|^~\\&|LAB|NORTH|EHR|WARD|20260115093042||ORU^R01^ORU_R01|MSG-1|P|2.5.1\r"
    "PID|1||4711^^^NORTH&1.2.3&ISO^MR~99-1^^^SSA^SS||MUSTER^ANNA^B^^^^L||19700101|F|||1 Main "
    "St&Main St^^Springfield\r"
    "OBR|1|ORD-1||2823-3^Potassium^LN\r"
    "OBX|1|NM|2823-3^Potassium^LN||4.1|mmol/L|3.5-5.1||||F\r"
    "OBX|2|FT|NOTE^Comment^L||Line one\\.br\\A\\T\\B \\X41\\||||||F\r"
    "ZPI|1|own|\"\"||\r";

Message parse(std::string_view text) {
  auto message = Message::parse(make_bytes(std::string(text)));
  if (!message) throw std::runtime_error(message.error().text());
  return *std::move(message);
}
Path path(std::string_view text) {
  return *Path::parse(text);
}
std::optional<std::string> get(const Message& message, std::string_view at) {
  return message.get(path(at));
}
void set(Message& message, std::string_view at, std::optional<std::string_view> text) {
  const auto result = message.set(path(at), text);
  EXPECT_TRUE(result) << at << ": " << result.error().text();
}
std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  const std::size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}
std::string error_of(std::string_view bytes) {
  const auto message = Message::parse(make_bytes(std::string(bytes)));
  return message ? "none" : message.error().code;
}

// -- Parsing ------------------------------------------------------------------------------------

TEST(Message, ReadsSegmentsInOrder) {
  const Message message = parse(kResult);
  ASSERT_EQ(message.segment_count(), 6U);
  EXPECT_EQ(message.name_of(0), "MSH");
  EXPECT_EQ(message.name_of(5), "ZPI");
  EXPECT_EQ(message.type(), "ORU^R01");
  EXPECT_EQ(message.structure(), "ORU_R01");
  EXPECT_THAT(message.each("OBX"), ElementsAre(3, 4));
  EXPECT_EQ(message.count("OBX"), 2U);
  EXPECT_THAT(message.find("OBX", 2), Optional(4U));
  EXPECT_EQ(message.find("OBX", 3), std::nullopt);
  EXPECT_EQ(message.find("OB"), std::nullopt);
  EXPECT_EQ(message.text_of(5), "ZPI|1|own|\"\"||");
}

TEST(Message, EncodesToTheSameBytes) {
  for (std::string_view text :
       {kResult, std::string_view("MSH|^~\\&"),
        std::string_view("MSH|^~\\&|||\n\r\nPID|1||\r\r\rZZ1\n"),
        std::string_view("\xEF\xBB\xBF\r\n  \x0BMSH|^~\\&|A\r\nPID|1\nPV1\r\x1C\r"),
        std::string_view("MSH|^~\\&|A\rbroken line\r|||\rOBXX|1\rTrailing")}) {
    EXPECT_EQ(parse(text).encode(), text);
  }
}

TEST(Message, AcceptsEveryLineEnd) {
  for (std::string_view end : {"\r", "\n", "\r\n", "\r\r", "\n\r"}) {
    const std::string text = "MSH|^~\\&|A" + std::string(end) + "PID|1||7" + std::string(end);
    const Message message = parse(text);
    EXPECT_EQ(message.segment_count(), 2U);
    EXPECT_THAT(get(message, "PID-3"), Optional(Eq("7")));
  }
}

TEST(Message, UsesTheDelimitersThatItNames) {
  const Message message = parse("MSH#!@%*#A\rPID#1##7!x*y@8\rNTE###a%S%b");
  EXPECT_THAT(get(message, "PID-3.1"), Optional(Eq("7")));
  EXPECT_THAT(get(message, "PID-3.2.2"), Optional(Eq("y")));
  EXPECT_THAT(get(message, "PID-3[2]"), Optional(Eq("8")));
  EXPECT_THAT(get(message, "NTE-3"), Optional(Eq("a!b")));
}

TEST(Message, AcceptsEncodingCharactersOfThreeToFive) {
  EXPECT_EQ(parse("MSH|^~\\&#|A").delimiters().truncation, '#');
  EXPECT_EQ(parse("MSH|^~\\|A").delimiters().subcomponent, 0);
  const Message no_escape = parse("MSH|^~&|A\rPID|||a&b\\T\\");
  EXPECT_EQ(no_escape.delimiters().escape, 0);
  EXPECT_THAT(get(no_escape, "PID-3.1.2"), Optional(Eq("b\\T\\")));
}

TEST(Message, RefusesWhatHasNoUsableMsh) {
  EXPECT_EQ(error_of(""), "H101");
  EXPECT_EQ(error_of("\r\n "), "H101");
  EXPECT_EQ(error_of("PID|1"), "H101");
  EXPECT_EQ(error_of("MSH"), "H102");
  EXPECT_EQ(error_of("MSH\rPID|"), "H102");
  EXPECT_EQ(error_of("MSH||A"), "H102");
  EXPECT_EQ(error_of("MSH|"), "H102");
  EXPECT_EQ(error_of("MSHA^~\\&A"), "H103");
  EXPECT_EQ(error_of("MSH|^^\\&|"), "H103");
  EXPECT_EQ(error_of("MSH|^~\\A|"), "H103");
  EXPECT_EQ(error_of("MSH|^~\\\"|"), "H103");
  EXPECT_EQ(error_of("FHS|^~\\&|"), "H105");
}

TEST(Message, SaysWhatItFoundWithoutShowingTheContent) {
  const auto message = Message::parse(make_bytes("<ClinicalDocument>secret"));
  ASSERT_FALSE(message);
  EXPECT_THAT(message.error().message, HasSubstr("<Cl"));
  EXPECT_THAT(message.error().text(), testing::Not(HasSubstr("secret")));
  EXPECT_THAT(message.error().hint, HasSubstr("XML"));
  EXPECT_THAT(Message::parse(make_bytes(std::string("\xFF\xFEM\0S\0", 6))).error().hint,
              HasSubstr("UTF-16"));
}

// -- Reading ------------------------------------------------------------------------------------

TEST(Message, ReadsLeavesUnescapedAndCompositesAsTheyStand) {
  const Message message = parse(kResult);
  EXPECT_THAT(get(message, "PID-3.1"), Optional(Eq("4711")));
  EXPECT_THAT(get(message, "PID-3"), Optional(Eq("4711^^^NORTH&1.2.3&ISO^MR")));
  EXPECT_THAT(get(message, "PID-3.4"), Optional(Eq("NORTH&1.2.3&ISO")));
  EXPECT_THAT(get(message, "PID-3.4.2"), Optional(Eq("1.2.3")));
  EXPECT_THAT(get(message, "PID-3[2].5"), Optional(Eq("SS")));
  EXPECT_THAT(get(message, "OBX[2]-5"), Optional(Eq("Line one\\.br\\A&B A")));
  EXPECT_EQ(message.raw(path("OBX[2]-5")), "Line one\\.br\\A\\T\\B \\X41\\");
}

TEST(Message, ReadsNothingWhereNothingIsPopulated) {
  const Message message = parse(kResult);
  for (std::string_view at :
       {"PID-2", "PID-99", "PID-3[3]", "PID-3.2", "PID-3.99", "PID-3.4.9", "NK1-1", "OBX[3]-1"}) {
    EXPECT_EQ(get(message, at), std::nullopt) << at;
  }
}

TEST(Message, TellsNullFromNothing) {
  const Message message = parse(kResult);
  EXPECT_THAT(get(message, "ZPI-3"), Optional(Eq("\"\"")));
  EXPECT_TRUE(message.is_null(path("ZPI-3")));
  EXPECT_FALSE(message.is_null(path("ZPI-4")));
  EXPECT_FALSE(message.is_null(path("ZPI-2")));
}

TEST(Message, CountsMshFieldsFromTheSeparator) {
  const Message message = parse(kResult);
  EXPECT_THAT(get(message, "MSH-1"), Optional(Eq("|")));
  EXPECT_THAT(get(message, "MSH-2"), Optional(Eq("^~\\&")));
  EXPECT_THAT(get(message, "MSH-3"), Optional(Eq("LAB")));
  EXPECT_THAT(get(message, "MSH-12"), Optional(Eq("2.5.1")));
  EXPECT_EQ(message.fields(0), 12U);
  EXPECT_EQ(message.fields(5), 5U);
  EXPECT_EQ(message.repetitions(Place{0, 2}), 1U);
  EXPECT_EQ(message.components(Place{0, 2}), 1U);
}

TEST(Message, CountsRepetitionsComponentsAndSubcomponents) {
  const Message message = parse(kResult);
  const SegmentId pid = *message.find("PID");
  EXPECT_EQ(message.repetitions(Place{pid, 3}), 2U);
  EXPECT_EQ(message.components(Place{pid, 3}), 5U);
  EXPECT_EQ(message.subcomponents(Place{pid, 3, 1, 4}), 3U);
  EXPECT_EQ(message.repetitions(Place{pid, 2}), 0U);
  EXPECT_EQ(message.repetitions(Place{pid, 99}), 0U);
  EXPECT_EQ(message.components(Place{pid, 3, 9}), 0U);
}

TEST(Message, StarsReadAllPlacesThatArePopulated) {
  const Message message = parse(kResult);
  EXPECT_THAT(message.get_all(path("PID-3[*].1")), ElementsAre("4711", "99-1"));
  EXPECT_THAT(message.get_all(path("OBX[*]-3.1")), ElementsAre("2823-3", "NOTE"));
  EXPECT_THAT(message.get_all(path("OBX[*]-6")), ElementsAre("mmol/L"));
  EXPECT_THAT(get(message, "OBX[*]-1"), Optional(Eq("1")));
}

TEST(Message, RelativePathsAreReadInTheirSegment) {
  const Message message = parse(kResult);
  const auto place = message.locate(path("3.1"), 4);
  ASSERT_TRUE(place);
  EXPECT_THAT(message.get(*place), Optional(Eq("NOTE")));
  EXPECT_EQ(message.path_of(*place).text(), "OBX[2]-3.1");
  EXPECT_EQ(message.locate(path("3.1")), std::nullopt);
}

// The typed rule: text fields may hold unescaped delimiters (HTML, addresses), and senders do send
// them.
TEST(Message, AFieldOfTextIsALeafWhateverStandsInIt) {
  const Message message = parse(
      "MSH|^~\\&|A\rOBX|1|TX|X||see <a href=\"?a=1&b\\T\\c\"> "
      "10^3\rNTE|1||a&b\\F\\c\rOBX|2|CWE|X||A\\T\\B^C\r");
  EXPECT_THAT(get(message, "OBX-5"), Optional(Eq("see <a href=\"?a=1&b&c\"> 10^3")));
  EXPECT_THAT(get(message, "NTE-3"), Optional(Eq("a&b|c")));
  EXPECT_THAT(get(message, "OBX[2]-5"), Optional(Eq("A\\T\\B^C")));
}

TEST(Message, ADecodedDelimiterDividesNothing) {
  const Message message = parse("MSH|^~\\&|A\rPID|||a\\X5E\\b\\X7C0D\\c^d\rNTE|1||x\\X7E\\y\r");
  EXPECT_EQ(message.segment_count(), 3U);
  EXPECT_EQ(message.components(Place{1, 3}), 2U);
  EXPECT_THAT(get(message, "PID-3.1"), Optional(Eq("a^b|\rc")));
  EXPECT_EQ(message.repetitions(Place{2, 3}), 1U);
  EXPECT_THAT(get(message, "NTE-3"), Optional(Eq("x~y")));
}

TEST(Message, ALargeDocumentInAFieldIsReadInPlace) {
  const std::string document(3000000, 'Q');
  Message message =
      parse(std::string(kResult) + "OBX|3|ED|PDF^Report^L||^AP^^Base64^" + document + "||||||F\r");
  EXPECT_EQ(message.raw(path("OBX[3]-5.5")).data() - message.received()->data(),
            static_cast<std::ptrdiff_t>(message.received()->find(document)));
  set(message, "OBX[3]-11", "C");
  EXPECT_THAT(get(message, "OBX[3]-5.5"), Optional(Eq(document)));
}

// -- Writing ------------------------------------------------------------------------------------

TEST(Message, AnEditChangesItsFieldOnly) {
  Message message = parse(kResult);
  set(message, "PID-3[1].4", "GEN");
  EXPECT_EQ(message.encode(), replaced(kResult, "NORTH&1.2.3&ISO", "GEN"));
  set(message, "OBX-5", "7.25");
  EXPECT_EQ(message.encode(),
            replaced(replaced(kResult, "NORTH&1.2.3&ISO", "GEN"), "|4.1|", "|7.25|"));
  EXPECT_EQ(*message.received(), kResult);
}

TEST(Message, WritingALeafEscapes) {
  Message message = parse(kResult);
  set(message, "PID-5.2", "Tom & Jerry|^~\\");
  EXPECT_EQ(message.encode(), replaced(kResult, "ANNA", "Tom \\T\\ Jerry\\F\\\\S\\\\R\\\\E\\"));
  EXPECT_THAT(get(message, "PID-5.2"), Optional(Eq("Tom & Jerry|^~\\")));
  set(message, "OBX[2]-5", "a^b&c\rd");
  EXPECT_THAT(message.encode(), HasSubstr("||a\\S\\b\\T\\c\\X0D\\d|"));
  EXPECT_THAT(get(message, "OBX[2]-5"), Optional(Eq("a^b&c\rd")));
}

TEST(Message, WritingACompositeParses) {
  Message message = parse(kResult);
  set(message, "PID-5", "DOE^JANE\\T\\J");
  EXPECT_THAT(get(message, "PID-5.2"), Optional(Eq("JANE&J")));
  set(message, "PID-3.4", "X&1.9&ISO");
  EXPECT_THAT(get(message, "PID-3.4.2"), Optional(Eq("1.9")));
  EXPECT_THAT(get(message, "PID-3[2].1"), Optional(Eq("99-1")));
}

TEST(Message, ACompositeCannotBreakOutOfItsPlace) {
  Message message = parse(kResult);
  set(message, "PID-5", "A|B\rZZZ|1~C^D");
  EXPECT_EQ(message.segment_count(), 6U);
  EXPECT_EQ(parse(message.encode()).segment_count(), 6U);
  EXPECT_THAT(get(message, "PID-5.1"),
              Optional(Eq("A\\F\\B\\X0D\\ZZZ\\F\\1\\R\\C")));  // PID-5.1 is a composite, FN
  EXPECT_THAT(get(message, "PID-5.1.1"), Optional(Eq("A|B\rZZZ|1~C")));
  EXPECT_EQ(message.repetitions(Place{1, 5}), 1U);
}

TEST(Message, AWholeFieldTakesRepetitions) {
  Message message = parse(kResult);
  const Place identifiers{1, 3, Place::kWholeField};
  EXPECT_THAT(message.get(identifiers), Optional(Eq("4711^^^NORTH&1.2.3&ISO^MR~99-1^^^SSA^SS")));
  ASSERT_TRUE(message.set(identifiers, "A~B~C"));
  EXPECT_EQ(message.repetitions(identifiers), 3U);
  EXPECT_THAT(get(message, "PID-3[3]"), Optional(Eq("C")));
}

TEST(Message, WritingFillsUpWhatIsMissing) {
  Message message = parse("MSH|^~\\&|A\rPID|1\rPV1|1\r");
  set(message, "PID-5[2].3.2", "X");
  EXPECT_EQ(message.encode(), "MSH|^~\\&|A\rPID|1||||~^^&X\rPV1|1\r");
  set(message, "MSH-10", "ID");
  EXPECT_EQ(message.encode(), "MSH|^~\\&|A|||||||ID\rPID|1||||~^^&X\rPV1|1\r");
}

TEST(Message, ClearingEmptiesAndDoesNothingWhereThereIsNothing) {
  Message message = parse(kResult);
  set(message, "PID-40", std::nullopt);
  set(message, "NK1-2", std::nullopt);
  set(message, "PID-3[5].2", "");
  EXPECT_FALSE(message.edited());
  set(message, "PID-8", std::nullopt);
  EXPECT_EQ(message.encode(), replaced(kResult, "|F|||1 Main", "||||1 Main"));
}

TEST(Message, NullIsWrittenAsTwoQuotationMarks) {
  Message message = parse(kResult);
  set(message, "PID-8", "\"\"");
  EXPECT_TRUE(message.is_null(path("PID-8")));
  EXPECT_THAT(message.encode(), HasSubstr("|19700101|\"\"|"));
}

TEST(Message, AnExactCopyKeepsEscapesAndStructure) {
  Message message = parse(kResult);
  const Place from{4, 5};
  ASSERT_TRUE(message.set_raw(Place{5, 4}, message.raw(from)));
  EXPECT_EQ(message.raw(Place{5, 4}), message.raw(from));
}

TEST(Message, WritingWhatWasReadIsTheIdentity) {
  Message message = parse(kResult);
  for (SegmentId segment = 0; segment < message.segment_count(); ++segment) {
    for (std::uint32_t field = 1; field <= message.fields(segment) + 1; ++field) {
      for (std::uint32_t repetition : {0U, 1U, 2U, Place::kWholeField}) {
        for (std::uint32_t component = 0; component < 5; ++component) {
          for (std::uint32_t subcomponent = 0; subcomponent < 3; ++subcomponent) {
            const Place place{segment, field, repetition, component, subcomponent};
            EXPECT_TRUE(message.set(place, message.get(place)));
            EXPECT_TRUE(message.set_raw(place, message.raw(place)));
          }
        }
      }
    }
  }
  EXPECT_FALSE(message.edited());
  EXPECT_EQ(message.encode(), kResult);
}

TEST(Message, TheDelimitersCannotBeWritten) {
  Message message = parse(kResult);
  EXPECT_EQ(message.set(path("MSH-1"), "#").error().code, "H301");
  EXPECT_EQ(message.set(path("MSH-2"), "#").error().code, "H301");
  EXPECT_EQ(message.set(path("PID"), "x").error().code, "H301");
  EXPECT_EQ(message.set(path("3.1"), "x").error().code, "H301");
}

TEST(Message, ACopyIsIndependent) {
  Message original = parse(kResult);
  set(original, "PID-8", "M");
  Message copy = original;
  set(copy, "PID-8", "O");
  EXPECT_THAT(get(original, "PID-8"), Optional(Eq("M")));
  EXPECT_THAT(get(copy, "PID-8"), Optional(Eq("O")));
  EXPECT_EQ(copy.received(), original.received());
}

TEST(Message, AStarWritesEveryPlace) {
  Message message = parse(kResult);
  set(message, "OBX[*]-11", "C");
  EXPECT_THAT(message.get_all(path("OBX[*]-11")), ElementsAre("C", "C"));
  set(message, "PID-3[*].4", "N");
  EXPECT_THAT(message.get_all(path("PID-3[*].4")), ElementsAre("N", "N"));
}

TEST(Message, WithoutAnEscapeCharacterNothingBreaksTheStructure) {
  Message message = parse("MSH|^~&|A\rNTE|1||x\r");
  set(message, "NTE-3", "a|b\rc^d");
  EXPECT_EQ(message.encode(), "MSH|^~&|A\rNTE|1||a b c d\r");
}

// -- Segments -----------------------------------------------------------------------------------

TEST(Message, WritingToTheNextSegmentAddsIt) {
  Message message = parse(kResult);
  set(message, "NTE-3", "hello");
  set(message, "NTE[2]-3", "again");
  EXPECT_EQ(message.encode(), std::string(kResult) + "NTE|||hello\rNTE|||again\r");
  EXPECT_EQ(message.set(path("NTE[4]-3"), "x").error().code, "H304");
}

TEST(Message, AddsAndRemovesSegmentsWhereTold) {
  Message message = parse("MSH|^~\\&|A\r\nPID|1\r\nOBX|1\r\nOBX|2");
  const SegmentId first = *message.find("OBX");
  const auto added = message.add_segment("NTE|1||a^b", first);
  ASSERT_TRUE(added);
  EXPECT_EQ(message.encode(), "MSH|^~\\&|A\r\nPID|1\r\nOBX|1\r\nNTE|1||a^b\r\nOBX|2");
  ASSERT_TRUE(message.add_segment("ZZZ"));
  EXPECT_EQ(message.encode(), "MSH|^~\\&|A\r\nPID|1\r\nOBX|1\r\nNTE|1||a^b\r\nOBX|2\r\nZZZ\r\n");
  ASSERT_TRUE(message.remove_segment(first));
  EXPECT_EQ(message.encode(), "MSH|^~\\&|A\r\nPID|1\r\nNTE|1||a^b\r\nOBX|2\r\nZZZ\r\n");
  EXPECT_EQ(message.position_of(first), std::nullopt);
  EXPECT_EQ(message.position_of(*added), 2U);
}

TEST(Message, ASegmentIdStaysOnItsSegment) {
  Message message = parse(kResult);
  const SegmentId last = *message.find("OBX", 2);
  ASSERT_TRUE(message.remove_segment(*message.find("OBX", 1)));
  ASSERT_TRUE(message.add_segment("NTE|1", 0));
  EXPECT_THAT(message.get(Place{last, 1}), Optional(Eq("2")));
  ASSERT_TRUE(message.set(Place{last, 1}, "1"));
  EXPECT_THAT(get(message, "OBX-1"), Optional(Eq("1")));
  EXPECT_EQ(message.text_of(3), "");
  EXPECT_EQ(message.set(Place{3, 1}, "x").error().code, "H302");
  EXPECT_EQ(message.remove_segment(3).error().code, "H302");
}

TEST(Message, TrailingBytesStayAtTheEnd) {
  Message message = parse("MSH|^~\\&|A\rPID|1\r\x1C\r");
  ASSERT_TRUE(message.add_segment("PV1|1"));
  EXPECT_EQ(message.encode(), "MSH|^~\\&|A\rPID|1\rPV1|1\r\x1C\r");
}

TEST(Message, RefusesWhatIsNoSegment) {
  Message message = parse(kResult);
  for (std::string_view text : {"", "AB", "nte", "NTE|1\rZZZ|1", "MSH|^~\\&", "1AB|", "ABCD"}) {
    EXPECT_EQ(message.add_segment(text).error().code, "H303") << text;
  }
  EXPECT_EQ(message.remove_segment(0).error().code, "H301");
  EXPECT_EQ(message.add_segment("NTE", 77).error().code, "H302");
}

TEST(Message, ManySegmentsAndFieldsAreReadInFull) {
  std::string text = "MSH|^~\\&|A\r";
  for (int i = 1; i <= 5000; ++i)
    text += "OBX|" + std::to_string(i) + "|ST|X^Y^Z||" + std::string(i % 50, '|') + "v\r";
  const Message message = parse(text);
  ASSERT_EQ(message.count("OBX"), 5000U);
  EXPECT_THAT(get(message, "OBX[5000]-1"), Optional(Eq("5000")));
  EXPECT_THAT(get(message, "OBX[4999]-54"), Optional(Eq("v")));
  EXPECT_EQ(message.encode(), text);
}

// -- Long fields -------------------------------------------------------------------------------

std::string many(std::size_t count) {
  std::string text(kResult.substr(0, kResult.find("PID|")));
  text += "PID|1||";
  for (std::size_t i = 1; i <= count; ++i)
    text += (i > 1 ? "~" : "") + std::to_string(i) + "^^^A&" + std::to_string(i * 2);
  return text + "\r";
}

TEST(LongField, EachRepetitionIsReadInAnyOrder) {
  const Message message = parse(many(2000));
  const auto number = [&](std::uint32_t repetition, std::uint32_t component = 1,
                          std::uint32_t subcomponent = 0) {
    return message.get(Place{1, 3, repetition, component, subcomponent}).value_or("nothing");
  };
  for (std::uint32_t i = 1; i <= 2000; ++i) {
    ASSERT_EQ(number(i), std::to_string(i));
    ASSERT_EQ(number(i, 4, 2), std::to_string(i * 2));
    ASSERT_EQ(number(i, 9), "nothing");
  }
  for (std::uint32_t i = 2000; i > 7; i -= 7) ASSERT_EQ(number(i), std::to_string(i));
  EXPECT_EQ(number(2001), "nothing");
  EXPECT_EQ(number(2000), "2000");
  EXPECT_EQ(number(0), "1");
}

TEST(LongField, MessagesThatAreReadInTurnsDoNotGetEachOthersTexts) {
  const Message one = parse(many(2000));
  Message other = parse(replaced(many(2000), "1000^", "other^"));
  Message copy = other;
  for (const std::uint32_t i : {999U, 1000U, 1001U}) {
    const Place place{1, 3, i, 1};
    EXPECT_EQ(one.get(place), std::to_string(i));
    EXPECT_EQ(other.get(place), i == 1000 ? "other" : std::to_string(i));
  }
  ASSERT_TRUE(other.set(Place{1, 3, 500, 1}, "a longer number"));
  EXPECT_EQ(copy.get(Place{1, 3, 1001, 1}), "1001");
  EXPECT_EQ(other.get(Place{1, 3, 1001, 1}), "1001");
  ASSERT_TRUE(other.set(Place{1, 3, 400, 1}, "5"));
  EXPECT_EQ(other.get(Place{1, 3, 500, 1}), "a longer number");
  EXPECT_EQ(other.get(Place{1, 3, 1002, 1}), "1002");
  ASSERT_TRUE(copy.set(Place{1, 3, 2, 1}, ""));
  EXPECT_EQ(copy.get(Place{1, 3, 1003, 1}), "1003");
  EXPECT_EQ(one.get(Place{1, 3, 1000, 1}), "1000");
}

// Were each of them looked for from the field's begin, this would take a quarter of an hour, and
// senders could stop an engine with it.
TEST(LongField, AMillionRepetitionsAreRead) {
  const Message message = parse(many(1'000'000));
  const auto numbers = message.get_all(path("PID-3[*].1"));
  ASSERT_EQ(numbers.size(), 1'000'000U);
  EXPECT_EQ(numbers.back(), "1000000");
}

TEST(LongField, SoAreAsManyComponentsAndSubcomponents) {
  constexpr std::uint32_t kMany = 300'000;
  std::string text(kResult.substr(0, kResult.find("PID|")));
  text += "PID|1||first~";
  for (std::uint32_t i = 1; i <= kMany; ++i) text += std::to_string(i) + "^";
  for (std::uint32_t i = 1; i <= kMany; ++i) text += std::to_string(i) + "&";
  text += "~last\r";
  const Message message = parse(text);
  for (std::uint32_t i = 1; i <= kMany; ++i) {
    ASSERT_EQ(message.raw(Place{1, 3, 2, i}), std::to_string(i));
  }
  for (std::uint32_t i = 1; i <= kMany; ++i) {
    ASSERT_EQ(message.raw(Place{1, 3, 2, kMany + 1, i}), std::to_string(i));
  }
  EXPECT_EQ(message.raw(Place{1, 3, 2, kMany + 2}), "");
  EXPECT_EQ(message.raw(Place{1, 3, 2, kMany, 2}), "");
  EXPECT_EQ(message.raw(Place{1, 3, 2, kMany, 1}), std::to_string(kMany));
  EXPECT_EQ(message.raw(Place{1, 3, 3}), "last");
  EXPECT_EQ(message.raw(Place{1, 3, 1, 1, 1}), "first");
  EXPECT_EQ(message.raw(Place{1, 3, 1, 2}), "");
}

}  // namespace
}  // namespace cannula::hl7v2
