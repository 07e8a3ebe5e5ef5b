#include "parsers/hl7v2/continuation.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

Message parsed(std::string_view text) {
  return *Message::parse(make_bytes(std::string(text)));
}

const std::string kFirst =
    "MSH|^~\\&|LAB|N|||2026||ORU^R01|1001|P|2.4|1|\rPID|1||4711\rOBR|1\r"
    "OBX|1|FT|10||This is the first sent\rADD|\rDSC|P1\r";
const std::string kSecond =
    "MSH|^~\\&|LAB|N|||2026||ORU^R01|2106|P|2.4|2|P1\r"
    "ADD|ence, and the next|||||F\rOBX|2|NM|11||7\rDSC|P2\r";
const std::string kThird =
    "MSH|^~\\&|LAB|N|||2026||ORU^R01|2401|P|2.4|3|P2\rNTE|1||behind the second\r";
constexpr std::string_view kWhole =
    "MSH|^~\\&|LAB|N|||2026||ORU^R01|1001|P|2.4|1|\rPID|1||4711\rOBR|1\r"
    "OBX|1|FT|10||This is the first sentence, and the next|||||F\rOBX|2|NM|11||7\r"
    "NTE|1||behind the second\r";

TEST(Join, MakesOneMessageOfItsFragmentsInWhateverOrder) {
  std::array fragments = {parsed(kFirst), parsed(kSecond), parsed(kThird)};
  EXPECT_EQ(*join(fragments), kWhole);
  std::reverse(fragments.begin(), fragments.end());
  EXPECT_EQ(*join(fragments), kWhole);
}

TEST(Join, KnowsWhatContinuesAndWhatIsContinued) {
  EXPECT_FALSE(continues_another(parsed(kFirst)));
  EXPECT_TRUE(is_continued(parsed(kFirst)));
  EXPECT_TRUE(continues_another(parsed(kThird)));
  EXPECT_FALSE(is_continued(parsed(kThird)));
}

TEST(Join, PutsTheTextOfAddBackIntoOneMessage) {
  const std::array one = {parsed("MSH|^~\\&|A\rOBX|1|FT|||one \rADD|two \rADD|three|mg\rNTE|1\r")};
  EXPECT_EQ(*join(one), "MSH|^~\\&|A\rOBX|1|FT|||one two three|mg\rNTE|1\r");
}

TEST(Join, SaysWhichPieceIsMissing) {
  const auto reason = [](std::vector<Message> fragments) {
    const auto joined = join(fragments);
    EXPECT_FALSE(joined);
    return joined ? "" : joined.error().code + " " + joined.error().message;
  };
  EXPECT_EQ(reason({}), "H503 there is no message to join");
  EXPECT_EQ(reason({parsed(kSecond), parsed(kThird)}),
            "H503 the first fragment is missing: all of them have MSH-14");
  EXPECT_EQ(reason({parsed(kFirst), parsed(kThird)}),
            "H503 fragment 1 of 2 names no other as the next one");
  EXPECT_EQ(reason({parsed(kFirst), parsed(kSecond)}),
            "H503 the last fragment is missing: the DSC of the last one there names another");
  EXPECT_EQ(reason({parsed(kFirst), parsed(kFirst)}),
            "H503 two of the messages have no MSH-14: only the first fragment may be without");
  EXPECT_EQ(reason({parsed("MSH|^~\\&|A\rADD|x\r")}),
            "H503 an ADD segment has no segment before it to continue");
}

}  // namespace
}  // namespace cannula::hl7v2
