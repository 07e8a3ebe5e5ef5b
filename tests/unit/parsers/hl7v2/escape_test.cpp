#include "parsers/hl7v2/escape.h"

#include <random>

#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

const Delimiters kStandard;

std::string decoded(std::string_view text) {
  return unescape(text, kStandard);
}
std::string encoded(std::string_view text) {
  return escape(text, kStandard);
}

TEST(Unescape, DecodesDelimitersAndHexadecimalPairs) {
  EXPECT_EQ(decoded("\\F\\\\S\\\\T\\\\R\\\\E\\"), "|^&~\\");
  EXPECT_EQ(decoded("a\\X41\\b\\X0D0A\\c\\X0d0a\\"), "aAb\r\nc\r\n");
  EXPECT_EQ(decoded("\\X000d\\"), std::string("\0\r", 2));
  EXPECT_EQ(decoded("\\P\\"), "#");
}

TEST(Unescape, KeepsWhatIsNoDelimiter) {
  for (std::string_view text : {"line\\.br\\two", "\\H\\bold\\N\\", "\\.sp+3\\", "\\C2842\\",
                                "\\M2442\\", "\\Z01\\", "\\Q\\", "\\X4\\", "\\X4G\\", "\\X\\",
                                "\\x41\\", "\\f\\", "\\\\", "\\", "a\\", "C:\\temp"}) {
    EXPECT_EQ(decoded(text), text);
  }
}

// The second backslash of a pair that means nothing may begin a sequence.
TEST(Unescape, FindsSequencesBehindALoneBackslash) {
  EXPECT_EQ(decoded("C:\\temp\\T\\more"), "C:\\temp&more");
  EXPECT_EQ(decoded("\\E\\R\\"), "\\R\\");
  EXPECT_EQ(decoded("\\E\\.br\\E\\"), "\\.br\\");
}

TEST(Unescape, UsesTheDelimitersOfTheMessage) {
  const Delimiters own{'#', '!', '@', '%', '*', 0};
  EXPECT_EQ(unescape("%F%%S%%R%%T%%E%\\F\\", own), "#!@*%\\F\\");
  const Delimiters none{'|', '^', '~', 0, '&', 0};
  EXPECT_EQ(unescape("a\\T\\b", none), "a\\T\\b");
}

TEST(Escape, EscapesEveryDelimiterAndLineEnd) {
  EXPECT_EQ(encoded("|^&~\\"), "\\F\\\\S\\\\T\\\\R\\\\E\\");
  EXPECT_EQ(encoded("a\r\nb"), "a\\X0D\\\\X0A\\b");
  EXPECT_EQ(encoded("\\F\\"), "\\E\\F\\E\\");
  EXPECT_EQ(encoded("C:\\temp"), "C:\\E\\temp");
}

// Formatted text that was read and is written back must not turn into backslashes.
TEST(Escape, LeavesFormattingCommandsAlone) {
  for (std::string_view text :
       {"one\\.br\\two", "\\H\\bold\\N\\", "\\.in+4\\", "\\.sp\\", "\\Z0F\\", "\\C2842\\"}) {
    EXPECT_EQ(encoded(text), text);
  }
  EXPECT_EQ(encoded("\\.brx\\"), "\\E\\.brx\\E\\");
  EXPECT_EQ(encoded("\\.br"), "\\E\\.br");
}

TEST(Escape, EscapesTheTruncationCharacterAtTheEndOnly) {
  const Delimiters truncating{'|', '^', '~', '\\', '&', '#'};
  EXPECT_EQ(escape("#1 and #", truncating), "#1 and \\P\\");
  EXPECT_EQ(encoded("#"), "#");
}

TEST(Escape, ReadsBackAsTheSameText) {
  constexpr std::string_view alphabet = "\\\\\\FSTREPXHNCMZ.br012|^~&#\r\n ";
  std::mt19937 random(20260115);  // NOLINT: the same texts each time
  for (const Delimiters& delimiters : {kStandard, Delimiters{'|', '^', '~', '\\', '&', '#'},
                                       Delimiters{'.', '+', '~', '\\', '&', 0}}) {
    for (int round = 0; round < 20000; ++round) {
      std::string text;
      for (std::size_t length = random() % 16; length > 0; --length)
        text += alphabet[random() % alphabet.size()];
      const std::string wire = escape(text, delimiters);
      ASSERT_EQ(unescape(wire, delimiters), text) << wire;
      for (char c : wire) {
        ASSERT_FALSE(c == delimiters.field || c == delimiters.component ||
                     c == delimiters.repetition || c == delimiters.subcomponent || c == '\r' ||
                     c == '\n');
      }
    }
  }
}

TEST(Escape, TakesLinearTime) {
  const std::string backslashes(1 << 20, '\\');
  EXPECT_EQ(encoded(backslashes).size(), 3 * backslashes.size());
  EXPECT_EQ(decoded(backslashes), backslashes);
}

}  // namespace
}  // namespace cannula::hl7v2
