// A destination with `sequence`, against a receiver that follows the protocol as HL7 v2 2.9.1 has
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/transport/remembering_sender.h"
#include "tests/unit/channels/mllp/partner.h"

namespace cannula::test {
namespace {

using Kind = Answer::Kind;
using testing::ElementsAre;
using testing::HasSubstr;

std::string message(const std::string& control_id, const std::string& ends = "") {
  return "MSH|^~\\&|CANNULA|HOSP|EHR|HOSP|20260101120000||ADT^A01^ADT_A01|" + control_id +
         "|P|2.5.1" + ends + "\rPID|1||4711\r";
}

// Keeps what it is told as a destination of the engine does.
class KeptMemory final : public Memory {
 public:
  asio::awaitable<Result<std::string>> recall() override { co_return text; }
  asio::awaitable<Result<void>> remember(std::string remembered) override {
    if (full) co_return Error("P328", "the disk is full");
    text = std::move(remembered);
    co_return Result<void>();
  }
  std::string text;
  bool full = false;
};

class NumberedSender : public MllpSenderTest {
 public:
  void begin(std::map<std::string, std::string> written = {{"sequence", "restart"}}) {
    written.emplace("timeout", "500ms");
    start([this](const std::string& id) { return answer(id); }, std::move(written));
  }
  // The receiver: takes the next number, says what it expects, or what the test wants.
  std::optional<std::string> answer(const std::string& id) {
    const auto header = hl7v2::Header::peek(partner->received.back());
    const std::int64_t number =
        std::stoll(
            "0" + std::string(header->sequence).substr(header->sequence.starts_with('-') ? 1 : 0)) *
        (header->sequence.starts_with('-') ? -1 : 1);
    numbers.push_back(number);
    std::string code = "AA";
    std::int64_t expected = taken < 0 ? -1 : taken + 1;
    if (number == -1) {
      taken = expected = -1;
    } else if (number > 0 && (taken < 0 || number == taken + 1)) {
      taken = expected = number;
      worked.push_back(id);
    } else if (number > 0 && number != taken) {
      code = "AE";
    }
    if (lost > 0 && number > 0) {
      --lost;
      return std::nullopt;
    }
    const std::string four = silent ? "" : "||" + std::to_string(expected);
    return "\x0BMSH|^~\\&|EHR|HOSP|CANNULA|HOSP|20260101120001||ACK|9|P|2.5.1\rMSA|" + code + "|" +
           id + four + "\r\x1C\r";
  }
  asio::awaitable<Answer> deliver_as(std::string key, std::string payload) {
    Parcel parcel;
    parcel.message = MessageId{77};
    parcel.key = std::move(key);
    parcel.payload = make_bytes(std::move(payload));
    auto& remembering = dynamic_cast<RememberingSender&>(*sender);
    EXPECT_TRUE(remembering.remembers());
    Remembered ended = co_await remembering.deliver_remembering(parcel, memory);
    if (ended.remember) memory.text = *ended.remember;
    stuck = ended.stuck;
    co_return ended.answer;
  }

  bool stuck = false;  // as the last attempt ended
  KeptMemory memory;
  std::int64_t taken = -1;
  int lost = 0;         // answers to come that do not
  bool silent = false;  // leaves MSA-4 out
  std::vector<std::int64_t> numbers;
  std::vector<std::string> worked;  // control ids
};

TEST_F(NumberedSender, BeginsTheLinkAndCountsInMsh13) {
  begin();
  run([this]() -> asio::awaitable<void> {
    for (const char* id : {"A", "B", "C"}) {
      const Answer answer = co_await deliver_as(id, message(id));
      EXPECT_EQ(answer.kind, Kind::delivered) << answer.reason.text();
    }
  }());
  EXPECT_THAT(numbers, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(worked, ElementsAre("A", "B", "C"));
  EXPECT_EQ(partner->received[0].substr(partner->received[0].find("ADT")),
            "ADT^A01^ADT_A01|S" + MessageId{77}.text() + "|P|2.5.1|0\r");
  EXPECT_EQ(partner->received[2], message("B", "|2"));
  EXPECT_EQ(memory.text, "3");
}

TEST_F(NumberedSender, ALostAcknowledgementIsSettledWithoutWorkingTwice) {
  begin();
  lost = 1;
  run([this]() -> asio::awaitable<void> {
    const Answer lost_one = co_await deliver_as("A", message("A"));
    EXPECT_EQ(lost_one.kind, Kind::retry);
    EXPECT_EQ(memory.text, "1 A");
    const Answer again = co_await deliver_as("A", message("A"));
    EXPECT_EQ(again.kind, Kind::delivered) << again.reason.text();
  }());
  EXPECT_THAT(numbers, ElementsAre(0, 1, 1));
  EXPECT_THAT(worked, ElementsAre("A"));
}

TEST_F(NumberedSender, AfterARestartWhatTheReceiverHasIsNotSentAgain) {
  taken = 8;
  memory.text = "8 A";  // it was on its way when the engine was killed
  begin();
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver_as("A", message("A"));
    EXPECT_EQ(answer.kind, Kind::delivered) << answer.reason.text();
    EXPECT_EQ((co_await deliver_as("B", message("B"))).kind, Kind::delivered);
  }());
  EXPECT_THAT(numbers, ElementsAre(0, 9));
  EXPECT_THAT(worked, ElementsAre("B"));
}

TEST_F(NumberedSender, IsStuckWhenTheReceiverExpectsAnotherNumber) {
  taken = 4;
  memory.text = "17";
  begin();
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver_as("A", message("A"));
    EXPECT_TRUE(stuck);
    EXPECT_EQ(answer.reason.code, "M212");
    EXPECT_THAT(answer.reason.message, HasSubstr("expects sequence number 5, and number 18"));
    taken = 17;  // a person has seen to it
    EXPECT_EQ((co_await deliver_as("A", message("A"))).kind, Kind::delivered);
  }());
  EXPECT_THAT(numbers, ElementsAre(0, 0, 18));
  EXPECT_EQ(report.counted("sequence_disagreements_total"), 1);
}

TEST_F(NumberedSender, ResynchronisesWhereItIsToldTo) {
  taken = 4;
  memory.text = "17";
  begin({{"sequence", "resync"}});
  run([this]() -> asio::awaitable<void> {
    EXPECT_EQ((co_await deliver_as("A", message("A"))).kind, Kind::delivered);
  }());
  EXPECT_THAT(numbers, ElementsAre(-1, 18));
}

TEST_F(NumberedSender, IsStuckWithAReceiverThatDoesNotFollowTheProtocol) {
  silent = true;
  begin();
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver_as("A", message("A"));
    EXPECT_TRUE(stuck);
    EXPECT_EQ(answer.reason.code, "M213");
  }());
  EXPECT_THAT(worked, ElementsAre());
}

TEST_F(NumberedSender, SendsNothingWhoseNumberIsNotOnRecord) {
  begin();
  memory.full = true;
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver_as("A", message("A"));
    EXPECT_EQ(answer.kind, Kind::retry);
    EXPECT_EQ(answer.reason.code, "P328");
    memory.full = false;
    EXPECT_EQ((co_await deliver_as("B", message("B"))).kind, Kind::delivered);
  }());
  EXPECT_THAT(worked, ElementsAre("B"));
  EXPECT_EQ(memory.text, "1");
}

TEST_F(NumberedSender, RefusesWhatAsksForNoAcknowledgement) {
  begin();
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver_as("A", message("A", "|||NE|NE"));
    EXPECT_EQ(answer.kind, Kind::refused);
    EXPECT_EQ(answer.reason.code, "M211");
  }());
  EXPECT_EQ(partner->connections, 0u);
}

}  // namespace
}  // namespace cannula::test
