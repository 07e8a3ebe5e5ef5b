#include "parsers/hl7v2/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

using testing::ElementsAre;

std::vector<std::string> split(std::string_view bytes) {
  std::vector<std::string> messages;
  for (const Span& span : split_messages(bytes))
    messages.emplace_back(bytes.substr(span.begin, span.size()));
  return messages;
}

TEST(Batch, LeavesTheEnvelopesOut) {
  EXPECT_THAT(split("FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rBTS|2\rBHS|^~\\&"
                    "\rMSH|^~\\&|3\rBTS|1\rFTS|2\r"),
              ElementsAre("MSH|^~\\&|1\rPID|1\r", "MSH|^~\\&|2\r", "MSH|^~\\&|3\r"));
}

TEST(Batch, OneMessageIsAllOfIt) {
  EXPECT_THAT(split("MSH|^~\\&|1\r\nPID|1\r\n\r\n"), ElementsAre("MSH|^~\\&|1\r\nPID|1\r\n\r\n"));
  EXPECT_THAT(split("\xEF\xBB\xBFMSH|^~\\&|1"), ElementsAre("MSH|^~\\&|1"));
}

TEST(Batch, ReadsMllpBlocks) {
  EXPECT_THAT(split("\x0BMSH|^~\\&|1\rPID|1\r\x1C\r\x0BMSH|^~\\&|2\r\x1C\r"),
              ElementsAre("MSH|^~\\&|1\rPID|1\r", "MSH|^~\\&|2\r"));
}

TEST(Batch, AnMshInsideOfAFieldIsText) {
  EXPECT_THAT(split("MSH|^~\\&|MSH\rNTE|1||MSH|x\r"), testing::SizeIs(1));
}

TEST(Batch, FindsNothingWhereThereIsNothing) {
  EXPECT_THAT(split(""), testing::IsEmpty());
  EXPECT_THAT(split("PID|1\rPV1|1"), testing::IsEmpty());
}

TEST(Batch, IsTwoMessagesOrAnEnvelope) {
  EXPECT_FALSE(is_batch("MSH|^~\\&|1\rPID|1\r"));
  EXPECT_TRUE(is_batch("MSH|^~\\&|1\rMSH|^~\\&|2\r"));
  EXPECT_TRUE(is_batch("FHS|^~\\&\rMSH|^~\\&|1\r"));
  EXPECT_FALSE(is_batch(""));
}

}  // namespace
}  // namespace cannula::hl7v2
