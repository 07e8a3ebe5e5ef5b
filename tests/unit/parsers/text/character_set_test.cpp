#include "parsers/text/character_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula {
namespace {

using testing::HasSubstr;

std::string decoded(const char* set, std::string_view bytes) {
  return CharacterSet::find(set)->decode(bytes).text;
}

std::string printable_ascii() {
  std::string text = "\r\n\t";
  for (char letter = ' '; letter <= '~'; ++letter) text += letter;
  return text;
}

TEST(CharacterSet, AsciiIsRecognizedAtEveryLengthAndPlace) {
  for (std::size_t size = 0; size < 200; ++size) {
    std::string text(size, 'x');
    EXPECT_TRUE(is_ascii(text));
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      EXPECT_FALSE(is_ascii(text)) << size << " " << at;
      text[at] = '\x7F';
    }
  }
}

struct Sample {
  const char* name;
  const char* bytes;
  const char* text;
};

class OfTable0211 : public testing::TestWithParam<Sample> {};

TEST_P(OfTable0211, ReadsAndWritesBack) {
  const auto set = CharacterSet::find(GetParam().name);
  ASSERT_TRUE(set) << set.error().text();
  const auto decoded = set->decode(GetParam().bytes);
  EXPECT_EQ(decoded.text, GetParam().text);
  EXPECT_TRUE(decoded.undecodable.empty());
  const auto encoded = set->encode(decoded.text);
  ASSERT_TRUE(encoded) << encoded.error().text();
  EXPECT_EQ(*encoded, GetParam().bytes);
}

TEST_P(OfTable0211, KeepsTheDelimiters) {
  const std::string ascii = printable_ascii();
  EXPECT_EQ(CharacterSet::find(GetParam().name)->decode(ascii).text, ascii);
}

INSTANTIATE_TEST_SUITE_P(
    Names, OfTable0211,
    testing::Values(
        Sample{"ASCII", "Muster", "Muster"}, Sample{"8859/1", "M\xFCller \x92 \x80", "Müller ’ €"},
        Sample{"8859/2", "\xA3ukasz Kowalski", "Łukasz Kowalski"}, Sample{"8859/3", "\xE6", "ĉ"},
        Sample{"8859/4", "\xE0", "ā"}, Sample{"8859/5", "\xB8\xD2\xD0\xDD", "Иван"},
        Sample{"8859/6", "\xC7\xE4", "ال"}, Sample{"8859/7", "\xC1\xE8", "Αθ"},
        Sample{"8859/8", "\xF9\xEC", "של"}, Sample{"8859/9", "\xDE\xFE\xFD", "Şşı"},
        Sample{"8859/15", "\xA4 \xBD", "€ œ"},
        Sample{"UNICODE UTF-8", "Müller Ł 山", "Müller Ł 山"},
        Sample{"UNICODE", "Müller", "Müller"}, Sample{"utf-8", "Müller", "Müller"},
        Sample{"ISO IR87", "\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B", "山田^太郎"},
        Sample{"ISO IR14", "Yamada", "Yamada"}, Sample{"ISO IR159", "\x1B$B;3ED\x1B(B", "山田"},
        Sample{"GB 18030-2000", "\xD5\xC5\xCE\xB0", "张伟"}, Sample{"KS X 1001", "\xB1\xE8", "김"},
        Sample{"BIG-5", "\xB3\xAF", "陳"}, Sample{"CNS 11643-1992", "\xC4\xE3", "中"},
        Sample{"windows-1250", "\x8A\xE8", "Šč"}, Sample{"KOI8-R", "\xE9", "И"},
        Sample{"Shift_JIS", "\x8E\x52\x93\x63 \\ ~", "山田 \\ ~"}));

TEST(CharacterSet, ASecondByteThatLooksLikeADelimiterIsNone) {
  EXPECT_EQ(decoded("Shift_JIS", "\x83\x7C|\x95\x5C"), "ポ|表");
  EXPECT_EQ(decoded("GB 18030-2000", "\x81\x7C|"), "亅|");
  EXPECT_EQ(decoded("ISO IR87", "\x1B$B^|\x1B(B|"), "滯|");
}

TEST(CharacterSet, EveryByteOfWindows1252ComesBack) {
  std::string bytes;
  for (int byte = 1; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const CharacterSet set = CharacterSet::windows_1252();
  const auto text = set.decode(bytes);
  EXPECT_TRUE(text.undecodable.empty());
  EXPECT_TRUE(is_utf8(text.text));
  EXPECT_EQ(*set.encode(text.text), bytes);
}

TEST(CharacterSet, UndecodableBytesAreReplacedOneByOneAndTold) {
  const auto read = CharacterSet::utf8().decode(
      "a\xFF\xC3(\xE2\x82"
      "b\xF0\x9F\x98\x80\xC3");
  EXPECT_EQ(read.text, "a\uFFFD\uFFFD(\uFFFD\uFFFDb😀\uFFFD");
  ASSERT_EQ(read.undecodable.size(), 5u);
  EXPECT_EQ(read.undecodable[0].offset, 1u);
  EXPECT_EQ(read.undecodable[0].byte, '\xFF');
  EXPECT_EQ(read.undecodable[4].byte, '\xC3');
  EXPECT_EQ(CharacterSet::utf8().decode("\xED\xA0\x80").undecodable.size(), 3u) << "a surrogate";
  EXPECT_EQ(CharacterSet::utf8().decode("\xF4\x90\x80\x80").undecodable.size(), 4u);
  EXPECT_EQ(CharacterSet::utf8().decode("\xC0\xAF").undecodable.size(), 2u) << "overlong";
  const auto greek = CharacterSet::find("8859/7")->decode("\xC1\xFF\xC1");
  EXPECT_EQ(greek.text, "Α\uFFFDΑ");
  const auto cut = CharacterSet::find("GB 18030-2000")->decode("\xD5\xC5\xCE");
  EXPECT_EQ(cut.text, "张\uFFFD");
}

TEST(CharacterSet, ALostEscapeSequenceCostsOneSegment) {
  EXPECT_EQ(decoded("ISO IR87", "PID|\x1B$B;3ED\rOBX|1|\x1B$B;3\x1B(B\r"), "PID|山田\rOBX|1|山\r");
}

TEST(CharacterSet, WhatCannotBeWrittenIsNamed) {
  const auto written = CharacterSet::find("8859/1")->encode("Anna Łukasz");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, "D204");
  EXPECT_THAT(written.error().message, HasSubstr("'Ł' (U+0141)"));
  EXPECT_THAT(written.error().hint, HasSubstr("UNICODE UTF-8"));
  const auto bytes = CharacterSet::find("8859/2")->encode("a\xFFz");
  EXPECT_THAT(bytes.error().message, HasSubstr("0xFF"));
}

TEST(CharacterSet, UnknownNamesAreD201) {
  const auto slip = CharacterSet::find("UNICODE UTF8");
  ASSERT_FALSE(slip);
  EXPECT_EQ(slip.error().code, "D201");
  EXPECT_THAT(slip.error().message, HasSubstr("did you mean 'UNICODE UTF-8'"));
  for (const char* name : {"", "UNICODE UTF-16", "UTF-16", "UTF-32", "CP037", "//TRANSLIT",
                           "8859/1//IGNORE", "no such thing", "UTF-7"}) {
    EXPECT_FALSE(CharacterSet::find(name)) << name;
  }
}

TEST(CharacterSet, KnowsWhichSetsHaveOneByteACharacter) {
  for (const char* name : {"8859/1", "8859/7", "8859/15", "windows-1250", "KOI8-R"}) {
    EXPECT_TRUE(CharacterSet::find(name)->is_single_byte()) << name;
  }
  for (const char* name :
       {"UTF-8", "ISO IR87", "GB 18030-2000", "BIG-5", "KS X 1001", "Shift_JIS", "EUC-JP"}) {
    EXPECT_FALSE(CharacterSet::find(name)->is_single_byte()) << name;
  }
}

}  // namespace
}  // namespace cannula
