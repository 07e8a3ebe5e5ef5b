// Batches: several messages in one frame, and the batch that answers them.
#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/batch.h"
#include "tests/unit/channels/mllp/receiver_fixture.h"

namespace cannula::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// 2.10.3: a device sends its day's results as one batch in one frame.
const std::string kBatch =
    "FHS|^~\\&|LAB|HOSP|CANNULA|HOSP|20260101||||F1\rBHS|^~\\&|LAB|HOSP|CANNULA|HOSP|20260101||||"
    "B1\r" +
    message("1") + message("2") + message("3") + "BTS|3\rFTS|1\r";

TEST_F(MllpReceiver, TakesEachMessageOfABatchOnItsOwnAndAnswersWithABatch) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(kBatch));
    const auto answers = co_await sender->answers(1);
    EXPECT_EQ(answers.size(), 1u);
  }());
  EXPECT_THAT(intake.bodies(), ElementsAre(message("1"), message("2"), message("3")));
  EXPECT_THAT(intake.arrivals.at(1).attributes, HasSubstr(R"("header":"BHS|^~\\&|LAB)"));
  EXPECT_THAT(intake.arrivals.at(1).attributes, HasSubstr(R"("message":"2","of":"3")"));
  EXPECT_EQ(report.lines_with("H50"), 0u);
}

TEST_F(MllpReceiver, AnswersABatchWithReferencesInTheOrderOfItsMessages) {
  start();
  std::string answer;
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(kBatch));
    co_await sender->answers(1);
    answer = sender->raw.at(0);
  }());
  const hl7v2::BatchFile file = hl7v2::BatchFile::read(answer);
  EXPECT_THAT(file.findings, IsEmpty());
  ASSERT_EQ(file.batches.size(), 1u);
  EXPECT_EQ(file.header->reference, "F1");
  EXPECT_EQ(file.batches[0].header->reference, "B1");
  EXPECT_EQ(file.batches[0].header->receiving_application, "LAB");
  std::vector<std::string> acknowledged;
  for (const Span span : file.batches[0].messages) {
    const auto one = hl7v2::Acknowledgement::parse(answer.substr(span.begin, span.size()));
    acknowledged.push_back(std::string(hl7v2::name_of(one->code)) + " " + one->control_id);
  }
  EXPECT_THAT(acknowledged, ElementsAre("AA 1", "AA 2", "AA 3"));
}

TEST_F(MllpReceiver, AnswersABatchWithItsErrorsOnlyWhereThatIsConfigured) {
  start({{"batch_ack", "errors"}});
  intake.decide = [this](const Arrival& arrival) {
    Receipt receipt;
    receipt.id = MessageId{++intake.last_id};
    receipt.disposition = arrival.control_id == "2" ? Disposition::refused : Disposition::accepted;
    receipt.reason = {"P104", "this partner may not send it", "", std::nullopt};
    return receipt;
  };
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(kBatch));
    co_await sender->answers(1);
    EXPECT_THAT(sender->raw.at(0), HasSubstr("MSA|AR|2|"));
    EXPECT_THAT(sender->raw.at(0), testing::Not(HasSubstr("MSA|AA")));
    EXPECT_THAT(sender->raw.at(0), HasSubstr("BTS|1\r"));
  }());
}

TEST_F(MllpReceiver, AnswersEachMessageOfABatchInAFrameOfItsOwnWhereThatIsConfigured) {
  start({{"batch_ack", "each"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(kBatch));
    const auto answers = co_await sender->answers(3);
    EXPECT_THAT(answers, ElementsAre("AA 1", "AA 2", "AA 3"));
  }());
}

TEST_F(MllpReceiver, SaysThatABatchIsShorterThanItAnnounces) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("BHS|^~\\&|LAB||||1||||B7\r" + message("1") + "BTS|2\r"));
    co_await sender->answers(1);
    EXPECT_THAT(sender->raw.at(0), HasSubstr("BTS|1|2 messages announced, 1 received\r"));
  }());
  EXPECT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(report.lines_with("BTS-1 announces 2 messages and 1 came"), 1u);
}

// Several messages in one frame without BHS: headers are optional (2.10.3.1).
TEST_F(MllpReceiver, TakesSeveralMessagesOfOneFrame) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1") + message("2")) + framed("BHS|^~\\&|LAB\rBTS|0\r") +
                           framed(message("3")));
    const auto answers = co_await sender->answers(3);
    EXPECT_THAT(answers, ElementsAre("AA 1", testing::_, "AA 3"));
    EXPECT_THAT(sender->raw[0], HasSubstr("MSA|AA|2\r"));
    EXPECT_THAT(sender->raw[1], HasSubstr("BTS|0\r"));
  }());
  EXPECT_EQ(intake.arrivals.size(), 3u);
}

// A long BHS with thousands of tiny messages: a copy with each would take a thousand times the
// frame.
TEST_F(MllpReceiver, KeepsOfALongEnvelopeNoMoreThanItsShareWithEachMessage) {
  start();
  const std::string header = "BHS|^~\\&|" + std::string(40'000, '\xFF');
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "MSH|^~\\&|A|B|C|D|2026||ADT^A01|" + std::to_string(i) + "\r";
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(header + "\r" + many + "BTS|1000\r"));
    co_await sender->answers(1);
  }());
  ASSERT_EQ(intake.arrivals.size(), 1000u);
  std::size_t bytes = 0;
  for (const Arrival& arrival : intake.arrivals) bytes += arrival.attributes.size();
  EXPECT_LT(bytes, 1000 * 512u);
  EXPECT_THAT(intake.arrivals[500].attributes, HasSubstr("[cut: it has 40009 bytes]"));
  EXPECT_THAT(intake.arrivals[500].attributes, HasSubstr(R"("message":"501","of":"1000")"));
}

TEST_F(MllpReceiver, OffersALargeBatchInSlicesAndAnswersItAsOne) {
  start();
  std::string many;
  for (int i = 0; i < 1000; ++i) many += message(std::to_string(i));
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("BHS|^~\\&|LAB\r" + many + "BTS|1000\r"));
    co_await sender->answers(1);
    EXPECT_THAT(sender->raw.at(0), HasSubstr("MSA|AA|0\r"));
    EXPECT_THAT(sender->raw.at(0), HasSubstr("MSA|AA|999\r"));
    EXPECT_THAT(sender->raw.at(0), HasSubstr("BTS|1000\r"));
  }());
  EXPECT_THAT(intake.batches, ElementsAre(256u, 256u, 256u, 232u));
}

TEST_F(MllpReceiver, OffersNothingMoreOfABatchWhenNothingCanBeTaken) {
  start();
  intake.decide = [](const Arrival&) {
    Receipt receipt;
    receipt.reason = {"S104", "the disk is full", "", std::nullopt};
    return receipt;
  };
  std::string many;
  for (int i = 0; i < 600; ++i) many += message(std::to_string(i));
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("BHS|^~\\&|LAB\r" + many + "BTS|600\r"));
    co_await sender->answers(1);
    EXPECT_THAT(sender->raw.at(0), HasSubstr("MSA|AE|599|"));
    EXPECT_THAT(sender->raw.at(0), HasSubstr("BTS|600\r"));
  }());
  EXPECT_THAT(intake.batches, ElementsAre(256u)) << "what follows must not overtake it";
}

TEST_F(MllpReceiver, RefusesAFrameOfTooManyMessagesOrEnvelopesAsAWhole) {
  start();
  std::string messages;
  std::string envelopes = "BHS|^~\\&\r" + message("first");
  for (int i = 0; i < 50'001; ++i) {
    messages += "MSH|^~\\&\r";
    envelopes += "BHS|^~\\&\r";
  }
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("BHS|^~\\&|LAB\r" + messages));
    co_await sender->write(framed(envelopes));
    const auto answers = co_await sender->answers(2);
    EXPECT_EQ(answers.size(), 2u);
    EXPECT_THAT(answers, testing::Each(testing::Not(testing::StartsWith("AA"))));
    for (const std::string& raw : sender->raw) EXPECT_LT(raw.size(), 1000u);
  }());
  ASSERT_EQ(intake.arrivals.size(), 2u);
  for (const Arrival& arrival : intake.arrivals) {
    EXPECT_EQ(arrival.defect->code, "M110");
    EXPECT_EQ(arrival.body->size(), 64 * 1024u);
  }
}

}  // namespace
}  // namespace cannula::test
