// \Cxxyy\ and \Mxxyyzz\ (2.6.3). Names and letters are invented or of the standard's examples.
#include "parsers/hl7v2/code_switching.h"

#include <gtest/gtest.h>

#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/escape.h"

namespace cannula::hl7v2 {
namespace {

std::string message(std::string_view character_set, std::string_view segments,
                    std::string_view switching = "") {
  return "MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|1|P|2.5.1||||||" + std::string(character_set) +
         "||" + std::string(switching) + "\r" + std::string(segments);
}

Decoded read(const std::string& bytes) {
  auto decoded = decode(make_bytes(bytes));
  EXPECT_TRUE(decoded);
  EXPECT_EQ(*encode(decoded->message, decoded->encoding), bytes) << "unedited, it is as it came";
  return *std::move(decoded);
}

std::string get(const Decoded& decoded, std::string_view path) {
  return decoded.message.get(*Path::parse(path)).value_or("(absent)");
}

TEST(CodeSwitching, KanjiOfTwoBytesAreRead) {
  const Decoded kanji = read(message("ASCII~ISO IR87",
                                     "PID|1||4711||\\M2442\\;3ED\\C2842\\^\\M2442\\B@O:\\C2842\\"
                                     "^X\r"));
  EXPECT_EQ(get(kanji, "PID-5.1"), "山田");
  EXPECT_EQ(get(kanji, "PID-5.2"), "太郎");
  EXPECT_EQ(get(kanji, "PID-5.3"), "X");
  EXPECT_TRUE(kanji.findings.empty());
  EXPECT_EQ(get(read(message("", "PID|1||||\\M2442\\;3ED\\C2842\\\r", "2.3")), "PID-5"), "山田")
      << "MSH-20 says so";
  EXPECT_EQ(get(read(message("~ISO IR159", "NTE|1||\\M242844\\0!\\C2842\\ end\r")), "NTE-3"),
            "丂 end");
}

TEST(CodeSwitching, SetsOfOneByteAreRead) {
  EXPECT_EQ(get(read(message("8859/1~8859/7", "NTE|1||M\xFCller \\C2D46\\\xE1\\C2D41\\ \xFC\r")),
                "NTE-3"),
            "Müller α ü");
  EXPECT_EQ(
      get(read(message("8859/1~8859/5", "NTE|1||\\c2d4c\\|\\C2d4c\\\xD0\\C2842\\\xFC\r")), "NTE-4"),
      "аü")
      << "back in the set of the message";
  EXPECT_EQ(
      get(read(message("~ISO IR13", "PID|1||||\\C2949\\\xD4\xCF\xC0\xDE\\C2842\\\r")), "PID-5"),
      "ﾔﾏﾀﾞ");
}

// The first byte of a kanji may be that of a delimiter: 5E 21 is 沺, 26 21 Α, 5C 21 棔.
TEST(CodeSwitching, BytesOfDelimitersAreLettersWhereASwitchIsOpen) {
  const Decoded letters =
      read(message("~ISO IR87", "PID|1||||\\M2442\\^!&!\\!\\C2842\\^x&y|\\M2442\\;|\\C2842\\|z\r"));
  EXPECT_EQ(get(letters, "PID-5.1"), "沺Α棔");
  EXPECT_EQ(get(letters, "PID-5.2"), "x&y");
  EXPECT_EQ(get(letters, "PID-7"), "z");
}

// What was not closed costs one component, never the next field.
TEST(CodeSwitching, ASwitchEndsAtTheNextDelimiter) {
  const Decoded open = read(message(
      "~ISO IR87",
      "PID|1||||\\M2442\\;3ED^\\M2442\\B@O:^Dr|next|\\M2442\\;3\rPV1|1|I\rNTE|1||\\C2842\\\r"));
  EXPECT_EQ(get(open, "PID-5.1"), "山田");
  EXPECT_EQ(get(open, "PID-5.2"), "太郎");
  EXPECT_EQ(get(open, "PID-5.3"), "Dr");
  EXPECT_EQ(get(open, "PID-6"), "next");
  EXPECT_EQ(get(open, "PV1-2"), "I");
}

// Without a word in MSH a text that looks like a switch is a text.
TEST(CodeSwitching, OnlyWhereTheHeaderNamesFurtherSets) {
  for (const std::string_view set : {"", "ASCII", "UNICODE UTF-8", "8859/1"}) {
    EXPECT_EQ(get(read(message(set, "NTE|1||\\M2442\\;3ED\\C2842\\\r")), "NTE-3"),
              "\\M2442\\;3ED\\C2842\\")
        << set;
  }
  EXPECT_EQ(get(read(message("~ISO IR87", "NTE|1||\\M9999\\ \\Cxyz\\ a\\T\\b\r")), "NTE-3"),
            "\\M9999\\ \\Cxyz\\ a&b");
}

TEST(CodeSwitching, AnEditChangesNoOtherByte) {
  const std::string before = "PID|1||4711||\\M2442\\;3ED\\C2842\\^\\M2442\\B@O:";
  const std::string after = "\rNTE|1||\\C2D46\\\xE1 was not closed|\xFC\r";
  Decoded decoded = read(message("8859/1~ISO IR87", before + "|muster" + after));
  ASSERT_TRUE(decoded.message.set(*Path::parse("PID-6"), "Müller"));
  EXPECT_EQ(*encode(decoded.message, decoded.encoding),
            message("8859/1~ISO IR87", before + "|M\xFCller" + after));
}

// What the default set does not have leaves with switches, as far as MSH-18 names the sets.
TEST(CodeSwitching, ASwitchThatNoTextFollowsIsWrittenOnce) {
  const std::string body = "PID|1||||\\M2442\\;3ED^\\C2842\\^X\rNTE|1||\\C2949\\";
  Decoded decoded = read(message("8859/1~ISO IR87~8859/7", body));
  ASSERT_TRUE(decoded.message.set(*Path::parse("PID-1"), "2"));
  std::string edited = body;
  edited[4] = '2';
  EXPECT_EQ(*encode(decoded.message, decoded.encoding), message("8859/1~ISO IR87~8859/7", edited));
}

TEST(CodeSwitching, WhatIsWrittenSwitches) {
  Decoded decoded = read(message("8859/1~ISO IR87~8859/7", "PID|1||||\\M2442\\;3ED\\C2842\\^X\r"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("PID-5.2"), "太郎"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("PID-6"), "ü太郎αx|"));
  const std::string written = *encode(decoded.message, decoded.encoding);
  EXPECT_NE(written.find("|\\M2442\\;3ED\\C2842\\^\\M2442\\B@O:\\C2842\\|"), std::string::npos)
      << written;
  const Decoded again = read(written);
  EXPECT_EQ(get(again, "PID-5.1"), "山田");
  EXPECT_EQ(get(again, "PID-5.2"), "太郎");
  EXPECT_EQ(get(again, "PID-6.1.1"), "ü太郎αx|");
  EXPECT_FALSE(check_encodable(decoded.message, decoded.encoding, "Łukasz"));
  EXPECT_TRUE(check_encodable(decoded.message, decoded.encoding, "山"));
  ASSERT_TRUE(decoded.message.set(*Path::parse("MSH-18"), "UNICODE UTF-8"));
  EXPECT_NE(encode(decoded.message, decoded.encoding)->find("|山田^太郎|"), std::string::npos)
      << "all of it in the new set";
}

TEST(CodeSwitching, BytesThatAreNothingThereAreCountedAndKept) {
  const Decoded decoded = read(message("~ISO IR87", "PID|1||||\\M2442\\~~;3\\C2842\\|x\r"));
  EXPECT_EQ(get(decoded, "PID-6"), "x");
  const Decoded cut = read(message("~ISO IR87", "PID|1||||\\M2442\\;3E\\C2842\\|x\r"));
  EXPECT_EQ(get(cut, "PID-6"), "x");
}

TEST(CodeSwitching, TakesLinearTime) {
  std::string text;
  while (text.size() < (1u << 20)) text += "\\M2442\\^!^!^!^\\C2D46\\";
  EXPECT_GT(read(message("~ISO IR87", "NTE|1||" + text + "\r")).encoding.kept.size(), 1000u);
}

}  // namespace
}  // namespace cannula::hl7v2
