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

constexpr std::string_view kFile =
    "FHS|^~\\&|LAB|NORTH|CANNULA|HOSP|20260101||||F1\r"
    "BHS|^~\\&|LAB|NORTH|CANNULA|HOSP|20260101||||B1\r"
    "MSH|^~\\&|LAB|NORTH|CANNULA|HOSP|1||ORU^R01|1|P|2.5.1\rPID|1\r"
    "MSH|^~\\&|LAB|NORTH|CANNULA|HOSP|1||ORU^R01|2|P|2.5.1\r"
    "BTS|3|evening\r"
    "BHS|^~\\&|LAB|NORTH|CANNULA|HOSP|20260101||||B2\r"
    "BTS|0\r"
    "FTS|2\r";

TEST(BatchFile, NamesBatchesMessagesAndCounts) {
  const BatchFile file = BatchFile::read(kFile);
  ASSERT_TRUE(file.header);
  EXPECT_EQ(file.header->control_id, "F1");
  ASSERT_EQ(file.batches.size(), 2u);
  EXPECT_EQ(file.batches[0].header->control_id, "B1");
  EXPECT_EQ(file.batches[0].messages.size(), 2u);
  EXPECT_EQ(file.batches[0].trailer, "BTS|3|evening");
  EXPECT_EQ(file.batches[0].announced, 3u);
  EXPECT_EQ(file.batches[1].messages.size(), 0u);
  EXPECT_EQ(file.announced, 2u);
  EXPECT_EQ(file.message_count(), 2u);
}

TEST(BatchFile, FindsThatACountIsWrong) {
  const BatchFile file = BatchFile::read(kFile);
  ASSERT_EQ(file.findings.size(), 1u);
  EXPECT_EQ(file.findings[0].code, "H501");
  EXPECT_EQ(file.findings[0].message, "BTS-1 announces 3 messages and 2 came");
}

TEST(BatchFile, FindsThatAnEndIsMissing) {
  const BatchFile file = BatchFile::read("FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\rFTS|9\r");
  ASSERT_EQ(file.findings.size(), 2u);
  EXPECT_EQ(file.findings[0].code, "H502");
  EXPECT_EQ(file.findings[1].code, "H501");
  EXPECT_EQ(BatchFile::read("FHS|^~\\&\rMSH|^~\\&|A\r").findings.at(0).code, "H502");
}

TEST(BatchFile, AnswersWithSwappedAddressesReferencesAndCounts) {
  const BatchFile file = BatchFile::read(kFile);
  EXPECT_EQ(acknowledge_batch(file, {"MSH|a\r", "MSH|b\r"}, {1767268800000000, "77"}),
            "FHS|^~\\&|CANNULA|HOSP|LAB|NORTH|20260101120000.000+0000||||77|F1\r"
            "BHS|^~\\&|CANNULA|HOSP|LAB|NORTH|20260101120000.000+0000||||77|B1\r"
            "MSH|a\rMSH|b\r"
            "BTS|2|3 messages announced, 2 received\r"
            "BHS|^~\\&|CANNULA|HOSP|LAB|NORTH|20260101120000.000+0000||||77|B2\r"
            "BTS|0\r"
            "FTS|2\r");
}

TEST(BatchFile, AnAnswerOfErrorsOnlyMayBeEmpty) {
  const BatchFile file = BatchFile::read("BHS|^~\\&|LAB\rMSH|^~\\&|LAB\rBTS|1\r");
  EXPECT_EQ(acknowledge_batch(file, {""}, {1767268800000000, "77"}),
            "BHS|^~\\&|||LAB||20260101120000.000+0000||||77\rBTS|0\r");
}

TEST(BatchFile, IsBuiltFromMessagesAndReadBack) {
  const std::string one = "MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5.1\rPID|1\r";
  const std::string two = "MSH|^~\\&|A|B|C|D|1||ORU^R01|2|P|2.5.1";
  const std::string built = build_batch({one, two}, {1767268800000000, "9"});
  EXPECT_EQ(built, "BHS|^~\\&|A|B|C|D|20260101120000.000+0000||||9\r" + one + two + "\rBTS|2\r");
  EXPECT_EQ(build_batch({one, two}, {1767268800000000, "9", "the day", "D|1"}, true),
            "FHS|^~\\&|A|B|C|D|20260101120000.000+0000||D\\F\\1||9\r"
            "BHS|^~\\&|A|B|C|D|20260101120000.000+0000||D\\F\\1||9\r" +
                one + two + "\rBTS|2|the day\rFTS|1\r");
  const BatchFile file = BatchFile::read(built);
  EXPECT_THAT(file.findings, testing::IsEmpty());
  EXPECT_EQ(file.message_count(), 2u);
  EXPECT_EQ(build_batch({}, {}), "");
}

TEST(Batch, FindsASecondHeaderWhereverAReaderMay) {
  const std::string first = "MSH|^~\\&|A\rPID|1||MSH\r";
  EXPECT_FALSE(second_header(first));
  EXPECT_FALSE(second_header("\r\n\x0B" + first +
                             "NTE|1||MSH|x\x0B"
                             "two lines\r"));
  EXPECT_FALSE(second_header(""));
  EXPECT_FALSE(second_header("\r\n"));
  for (const std::string name : {"MSH", "FHS", "BHS", "BTS", "FTS"}) {
    for (const std::string before : {"", "\n", "\x0B", " \t\x0B\x0C", "\xEF\xBB\xBF"}) {
      const auto found = second_header(first + before + name + "|^~\\&|B\r");
      ASSERT_TRUE(found) << name;
      EXPECT_EQ(found->name.begin, first.size() + before.size());
      EXPECT_EQ(found->line, 3u);
    }
  }
  EXPECT_EQ(second_header("MSH|^~\\&|A\r\nPID|1\r\nMSH|\r\nMSH|")->line, 3u);
  EXPECT_EQ(second_header("MSH|^~\\&|A\rNTE|1||x\x0BMSH|^~\\&|B")->line, 2u);
}

TEST(Batch, CountsHeadersNoFurtherThanAsked) {
  const std::string batch = "BHS|\rMSH|\rPID|\rMSH|\rBTS|2\r";
  EXPECT_EQ(count_headers(batch, 100), 4u);
  EXPECT_EQ(count_headers(batch, 3), 3u);
  EXPECT_EQ(count_headers("PID|1\r", 3), 0u);
}

}  // namespace
}  // namespace cannula::hl7v2
