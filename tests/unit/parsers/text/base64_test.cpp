#include "parsers/text/base64.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

// RFC 4648, section 10.
TEST(Base64, ReadsAndWritesTheTestVectors) {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(*decode_base64(text), bytes);
  }
}

TEST(Base64, PassesOverBlanksAndMissingPadding) {
  EXPECT_EQ(*decode_base64("Zm9v\r\nYmFy\n"), "foobar");
  EXPECT_EQ(*decode_base64(" Z g"), "f");
  EXPECT_EQ(*decode_base64("-_-_"), *decode_base64("+/+/"));
}

TEST(Base64, NamesTheCharacterThatIsWrong) {
  const auto failed = decode_base64("Zm9*");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "D205");
  EXPECT_EQ(failed.error().span->begin, 3u);
  EXPECT_FALSE(decode_base64("Zg==Zg"));
  EXPECT_FALSE(decode_base64("Zm9vY"));
}

TEST(Base64, IsTheIdentityForAllLengths) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(*decode_base64(encode_base64(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

}  // namespace
}  // namespace cannula
