#include "parsers/hl7v2/encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/header.h"

namespace cannula::hl7v2 {
namespace {

using testing::HasSubstr;

std::string message(std::string_view character_set, std::string_view name) {
  return "MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|1|P|2.5.1||||||" + std::string(character_set) +
         "\rPID|1||777001||" + std::string(name) + "\rNTE|1||as it was\r";
}

Decoded read(std::string_view character_set, std::string_view name,
             Origin origin = Origin::received) {
  auto decoded = decode(make_bytes(message(character_set, name)), origin);
  EXPECT_TRUE(decoded);
  return *std::move(decoded);
}

std::string text(const Decoded& decoded, std::string_view path) {
  return decoded.message.get(*Path::parse(path)).value_or("");
}

std::string code(const Decoded& decoded) {
  return decoded.findings.empty() ? "" : decoded.findings[0].code;
}

TEST(Encoding, AsciiIsNotCopied) {
  for (const char* set : {"", "ASCII", "8859/1", "UNICODE UTF-8", "nonsense", "~ISO IR87"}) {
    const Bytes bytes = make_bytes(message(set, "Muster^Anna"));
    const auto decoded = decode(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->message.received(), bytes) << set;
    EXPECT_EQ(code(*decoded), set == std::string_view("nonsense") ? "D201" : "") << set;
  }
}

TEST(Encoding, TheLabelOfTheMessageIsFollowed) {
  EXPECT_EQ(text(read("8859/1", "M\xFCller"), "PID-5.1"), "Müller");
  EXPECT_EQ(text(read("8859/2", "\xA3ukasz"), "PID-5.1"), "Łukasz");
  EXPECT_EQ(text(read("UNICODE UTF-8", "Müller"), "PID-5.1"), "Müller");
  EXPECT_EQ(text(read("GB 18030-2000", "\xD5\xC5^\xCE\xB0"), "PID-5.2"), "伟");
  EXPECT_EQ(text(read("8859/15~8859/7", "\xA4"), "PID-5.1"), "€") << "the first is the default";
}

TEST(Encoding, WithoutALabelItIsUtf8WhenItCanBe) {
  EXPECT_EQ(text(read("", "Müller"), "PID-5.1"), "Müller");
  EXPECT_EQ(text(read("", "M\xFCller"), "PID-5.1"), "Müller");
  EXPECT_EQ(text(read("",
                      "O\x92"
                      "Brien"),
                 "PID-5.1"),
            "O’Brien");
  EXPECT_EQ(code(read("", "M\xFCller")), "");
}

TEST(Encoding, Utf8UnderAnotherLabelIsRecognizedWithAWarning) {
  const Decoded decoded = read("8859/1", "Müller");
  EXPECT_EQ(text(decoded, "PID-5.1"), "Müller");
  ASSERT_EQ(code(decoded), "D203");
  EXPECT_THAT(decoded.findings[0].message, HasSubstr("8859/1"));
  EXPECT_EQ(decoded.findings[0].path, "MSH-18");
  EXPECT_EQ(decoded.findings[0].severity, Severity::warning);
  EXPECT_EQ(code(read("ASCII", "Müller")), "D203");
  EXPECT_EQ(text(read("GB 18030-2000", "\xC3\xBC"), "PID-5.1"), "眉")
      << "two bytes of GB 18030 are UTF-8 by chance";
}

TEST(Encoding, EightBitsUnderTheLabelAsciiAreRead) {
  const Decoded decoded = read("ASCII", "M\xFCller");
  EXPECT_EQ(text(decoded, "PID-5.1"), "Müller");
  EXPECT_EQ(code(decoded), "D203");
}

TEST(Encoding, AnUnknownLabelIsAWarning) {
  const Decoded decoded = read("8859-1 (Latin)", "M\xFCller");
  EXPECT_EQ(text(decoded, "PID-5.1"), "Müller");
  EXPECT_EQ(code(decoded), "D201");
}

TEST(Encoding, ALabelThatIsNotAsciiIsNotTakenForAChangedOne) {
  const Decoded decoded = read("M\xFCnchen", "M\xFCller");
  Message edited = decoded.message;
  ASSERT_TRUE(edited.set(*Path::parse("PID-5.2"), "Zoë"));
  EXPECT_EQ(*encode(edited, decoded.encoding), message("M\xFCnchen", "M\xFCller^Zo\xEB"));
}

TEST(Encoding, JapaneseEscapeSequencesAreRead) {
  const Decoded decoded = read("~ISO IR87", "\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B");
  EXPECT_EQ(text(decoded, "PID-5.1"), "山田");
  EXPECT_EQ(text(decoded, "PID-5.2"), "太郎");
  Message edited = decoded.message;
  ASSERT_TRUE(edited.set(*Path::parse("PID-5.2"), "花子"));
  EXPECT_EQ(*encode(edited, decoded.encoding),
            message("~ISO IR87", "\x1B$B;3ED\x1B(B^\x1B$B2V;R\x1B(B"));
}

TEST(Encoding, WhatIsWrittenLeavesInTheSetOfTheMessage) {
  Decoded decoded = read("8859/1", "M\xFCller");
  ASSERT_TRUE(decoded.message.set(*Path::parse("PID-5.2"), "Zoë"));
  EXPECT_EQ(*encode(decoded.message, decoded.encoding), message("8859/1", "M\xFCller^Zo\xEB"));
  Decoded mislabelled = read("8859/1", "Müller");
  ASSERT_TRUE(mislabelled.message.set(*Path::parse("PID-5.2"), "Zoë"));
  EXPECT_EQ(*encode(mislabelled.message, mislabelled.encoding), message("8859/1", "Müller^Zoë"));
  Decoded plain = read("8859/1", "Muster");
  ASSERT_TRUE(plain.message.set(*Path::parse("PID-5.2"), "Zoë"));
  EXPECT_EQ(*encode(plain.message, plain.encoding), message("8859/1", "Muster^Zo\xEB"));
}

TEST(Encoding, AnEditChangesNoByteOfAnotherField) {
  Decoded decoded = read("UNICODE UTF-8", "M\xFCller^\xC3\xBC\xFF^Z");
  EXPECT_EQ(text(decoded, "PID-5.1"), "M\uFFFDller");
  EXPECT_EQ(code(decoded), "D202");
  EXPECT_THAT(decoded.findings[0].message, HasSubstr("2 bytes"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("NTE-3"), "é"));
  ASSERT_TRUE(decoded.message.add_segment("NTE|2||ü"));
  std::string wanted = message("UNICODE UTF-8", "M\xFCller^\xC3\xBC\xFF^Z");
  wanted.replace(wanted.find("as it was"), 9, "é");
  EXPECT_EQ(*encode(decoded.message, decoded.encoding), wanted + "NTE|2||ü\r");
}

TEST(Encoding, AChangedLabelConvertsTheMessage) {
  Decoded decoded = read("8859/1", "M\xFCller");
  EXPECT_FALSE(check_encodable(decoded.message, decoded.encoding, "Łukasz"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("MSH-18"), "UNICODE UTF-8"));
  EXPECT_TRUE(check_encodable(decoded.message, decoded.encoding, "Łukasz"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("PID-5.2"), "Łukasz"));
  EXPECT_EQ(*encode(decoded.message, decoded.encoding), message("UNICODE UTF-8", "Müller^Łukasz"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("MSH-18"), "8859/2"));
  EXPECT_EQ(*encode(decoded.message, decoded.encoding), message("8859/2", "M\xFCller^\xA3ukasz"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("MSH-18"), "8859/7"));
  EXPECT_EQ(encode(decoded.message, decoded.encoding).error().code, "D204");
  ASSERT_TRUE(decoded.message.set(*Path::parse("MSH-18"), "8859/99"));
  EXPECT_EQ(encode(decoded.message, decoded.encoding).error().code, "D201");
}

TEST(Encoding, ATextOfAScriptIsUtf8AndBecomesWhatItsLabelSays) {
  const Decoded decoded = read("8859/1", "Müller", Origin::written);
  EXPECT_EQ(text(decoded, "PID-5.1"), "Müller");
  EXPECT_TRUE(decoded.findings.empty());
  EXPECT_EQ(*encode(decoded.message, decoded.encoding), message("8859/1", "M\xFCller"));
  const Decoded bytes = read("8859/1", "M\xFCller", Origin::written);
  EXPECT_EQ(text(bytes, "PID-5.1"), "Müller");
}

}  // namespace
}  // namespace cannula::hl7v2

namespace cannula::hl7v2 {
namespace {

std::vector<std::string> codes_of(const Decoded& decoded) {
  std::vector<std::string> codes;
  for (const Diagnostic& finding : decoded.findings) codes.push_back(finding.code);
  return codes;
}

std::string with_charset(std::string_view charset, std::string_view name) {
  return "MSH|^~\\&|A|B|C|D|20260115||ADT^A08|1|P|2.5||||||" + std::string(charset) +
         "\rPID|1||4711||" + std::string(name) + "\r";
}

// panates#28, ruby-hl7#31: MSH-18 is empty or wrong, and the channel knows better.
TEST(TheChannelsCharacterSet, GoesBeforeMsh18) {
  const auto told = *CharacterSet::find("windows-1250");
  for (const std::string_view label : {"", "8859/1", "UNICODE UTF-8", "XYZ"}) {
    const std::string text = with_charset(label, "Nov\xE1k\xF9^\xD8");
    const auto decoded = decode(make_bytes(text), Origin::received, told);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->message.raw(*Path::parse("PID-5")), "Nováků^Ř") << label;
    Message edited = decoded->message;
    ASSERT_TRUE(edited.set(*Path::parse("PID-5.2"), "Š"));
    EXPECT_EQ(*encode(edited, decoded->encoding), with_charset(label, "Nov\xE1k\xF9^\x8A"));
  }
  EXPECT_EQ(codes_of(*decode(make_bytes(with_charset("8859/1", "\xE1")), Origin::received, told)),
            std::vector<std::string>{"D207"});
}

TEST(MislabelledUtf8, IsReadAsUtf8AndSaid) {
  const auto of = [](std::string_view label) {
    const auto decoded = decode(make_bytes(with_charset(label, "Jürgen")));
    EXPECT_EQ(decoded->message.raw(*Path::parse("PID-5")), "Jürgen") << label;
    return codes_of(*decoded);
  };
  EXPECT_EQ(of("8859/1"), std::vector<std::string>{"D203"});
  EXPECT_EQ(of("ASCII"), std::vector<std::string>{"D203"});
  EXPECT_EQ(of(""), std::vector<std::string>{"D206"});
  EXPECT_EQ(of("UNICODE UTF-8"), std::vector<std::string>{});
}

// The field is written anew; the repetitions and components that were not edited keep their bytes,
// also those that could not be read.
TEST(Encoding, AnEditChangesNoByteOfAnotherRepetition) {
  for (const std::string_view path : {"PID-5[1].1", "PID-5[2].2", "PID-5[3].1"}) {
    const std::string bytes = message("UNICODE UTF-8", "a\xFF^b\xFE~c\xFD^d~e\xFCü^f");
    auto decoded = decode(make_bytes(bytes));
    ASSERT_TRUE(decoded);
    Message plain = *Message::parse(make_bytes(bytes));
    ASSERT_TRUE(decoded->message.set(*Path::parse(path), "ö"));
    ASSERT_TRUE(plain.set(*Path::parse(path), "ö"));
    EXPECT_EQ(*encode(decoded->message, decoded->encoding), plain.encode()) << path;
  }
}

TEST(Utf16Messages, AreReadEditedAndWrittenInUtf16) {
  for (const Utf16 order : {Utf16::little_endian, Utf16::big_endian}) {
    for (const std::string_view mark : {"", "\xEF\xBB\xBF"}) {
      const std::string text = std::string(mark) + with_charset("UNICODE", "Jürgen^😀");
      const std::string bytes = encode_utf16(text, order);
      EXPECT_TRUE(is_utf16(bytes));
      const auto header = Header::peek(bytes);
      ASSERT_TRUE(header) << header.error().text();
      EXPECT_EQ(header->event(), "ADT^A08");
      auto decoded = decode(make_bytes(bytes));
      ASSERT_TRUE(decoded) << decoded.error().text();
      EXPECT_EQ(codes_of(*decoded), std::vector<std::string>{"D208"});
      EXPECT_EQ(decoded->message.encode(), text);
      EXPECT_EQ(*encode(decoded->message, decoded->encoding), bytes);
      ASSERT_TRUE(decoded->message.set(*Path::parse("PID-5.1"), "Żaneta"));
      EXPECT_EQ(*encode(decoded->message, decoded->encoding),
                encode_utf16(std::string(mark) + with_charset("UNICODE", "Żaneta^😀"), order));
    }
  }
  EXPECT_FALSE(is_utf16("MSH|^~\\&|"));
  EXPECT_EQ(decode_utf16("\xD8\x3D", Utf16::big_endian), "\xEF\xBF\xBD");
  EXPECT_EQ(decode_utf16(std::string_view("\0A\0", 3), Utf16::big_endian), "A\xEF\xBF\xBD");
}

}  // namespace
}  // namespace cannula::hl7v2
