#include "channels/transport/message_id.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

TEST(MessageId, IsShownAsThirteenDigitsThatSortAsItDoes) {
  EXPECT_EQ(MessageId{0}.text(), "0000000000000");
  EXPECT_EQ(MessageId{31}.text(), "000000000000Z");
  EXPECT_EQ(MessageId{UINT64_MAX}.text(), "FZZZZZZZZZZZZ");
  EXPECT_LT(MessageId{0x0123456789ABCDEF}.text(), MessageId{0x0123456789ABCDF0}.text());
}

TEST(MessageId, ReadsBackWhatItShows) {
  for (std::uint64_t value = 1; value != 0; value = value << 1) {
    EXPECT_EQ(MessageId::parse(MessageId{value - 1}.text()), MessageId{value - 1});
    EXPECT_EQ(MessageId::parse(MessageId{~value}.text()), MessageId{~value});
  }
}

TEST(MessageId, TakesLowerCaseAndLettersThatAreMisread) {
  EXPECT_EQ(MessageId::parse("0k2h8zq4r7t1c"), MessageId::parse("0K2H8ZQ4R7T1C"));
  EXPECT_EQ(MessageId::parse("OK2H8ZQ4R7Tl0"), MessageId::parse("0K2H8ZQ4R7T10"));
  EXPECT_EQ(MessageId::parse("OK2H8ZQ4R7TIo"), MessageId::parse("0K2H8ZQ4R7T10"));
}

TEST(MessageId, RefusesWhatIsNoId) {
  for (const char* text : {"", "0K2H8ZQ4R7T1", "0K2H8ZQ4R7T1C0", "0K2H8ZQ4R7T1U", "GZZZZZZZZZZZZ",
                           "ZZZZZZZZZZZZZ", "0K2H8ZQ4R7T-C", "0K2H8ZQ4R7T1\xC3"}) {
    EXPECT_FALSE(MessageId::parse(text)) << text;
  }
}

TEST(MessageId, TellsTheMillisecondInWhichItWasGiven) {
  constexpr std::uint64_t kMillisecond = 1'767'323'045'678;
  EXPECT_EQ(MessageId::first_of(kMillisecond).millisecond(), kMillisecond);
  EXPECT_EQ(MessageId{MessageId::first_of(kMillisecond).value - 1}.millisecond(), kMillisecond - 1);
  EXPECT_EQ(MessageId{MessageId::first_of(kMillisecond + 1).value - 1}.millisecond(), kMillisecond);
}

}  // namespace
}  // namespace cannula
