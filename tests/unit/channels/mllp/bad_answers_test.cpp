// What a receiver answers that is no acknowledgement of the message: it comes with the attempt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/channels/mllp/partner.h"

namespace cannula::test {

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Kind = Answer::Kind;

const std::string kMessage =
    "MSH|^~\\&|CANNULA|HOSP|EHR|HOSP|20260101120000||ADT^A01^ADT_A01|M1|P|2.5.1\rPID|1||4711\r";

std::string acknowledgement(const std::string& control_id) {
  return "\x0BMSH|^~\\&|EHR|HOSP|CANNULA|HOSP|20260101120001||ACK|9|P|2.5.1\rMSA|AA|" + control_id +
         "\r\x1C\r";
}

class BadAnswer : public MllpSenderTest {
 public:
  // Of a receiver that sends `bytes` and then nothing more.
  Answer answer_to(const std::string& bytes, std::map<std::string, std::string> written = {}) {
    written.emplace("timeout", "100ms");
    start([bytes](const std::string&) { return bytes; }, std::move(written));
    return delivered();
  }
  // Of one that sends `bytes` and closes the connection.
  Answer answer_before_closing(const std::string& bytes) {
    start([this, bytes](const std::string&) -> std::optional<std::string> {
      for (Stream* stream : partner->open) {
        const std::array<asio::const_buffer, 1> piece{asio::buffer(bytes)};
        asio::co_spawn(io, stream->write(piece, kNever), asio::detached);
      }
      return std::nullopt;
    });
    return delivered();
  }
  Answer delivered() {
    Answer answer;
    run([&]() -> asio::awaitable<void> { answer = co_await deliver(kMessage); }());
    EXPECT_EQ(answer.kind, Kind::retry);
    EXPECT_FALSE(answer.response) << "it is no response: whether it is there is not known";
    return answer;
  }
};

std::string text_of(const Bytes& bytes) {
  return bytes ? *bytes : "(nothing)";
}

TEST_F(BadAnswer, ForAnotherMessageIsQuotedAndHarmlessToTheTerminal) {
  const Answer answer = answer_before_closing(acknowledgement("O\x1B[2J"));
  EXPECT_THAT(answer.quoted, AllOf(HasSubstr("[2J"), Not(HasSubstr("\x1B"))));
}

TEST_F(BadAnswer, OfAFrameThatIsNoHl7IsKeptAsItCame) {
  const Answer answer = answer_to("\x0BOK\x1C\r");
  EXPECT_EQ(answer.reason.code, "M205");
  EXPECT_EQ(text_of(answer.received), "\x0BOK\x1C\r");
  EXPECT_EQ(report.counted("bad_answers_total"), 1);
}

TEST_F(BadAnswer, ForAnotherControlIdIsKept) {
  const Answer answer = answer_to(acknowledgement("OTHER"));
  EXPECT_EQ(answer.reason.code, "M203");
  EXPECT_EQ(text_of(answer.received), acknowledgement("OTHER"));
  EXPECT_EQ(report.counted("acknowledgements_unmatched_total"), 1);
}

TEST_F(BadAnswer, OutsideAnyFrameIsKeptAndNamed) {
  const Answer answer = answer_to("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(answer.reason.code, "M205");
  EXPECT_THAT(answer.reason.message, HasSubstr("HTTP"));
  EXPECT_EQ(text_of(answer.received), "HTTP/1.1 400 Bad Request\r\n\r\n");
}

TEST_F(BadAnswer, WithoutFramingIsNamedAsThat) {
  const Answer answer = answer_to("MSH|^~\\&|EHR\rMSA|AA|M1\r");
  EXPECT_EQ(answer.reason.code, "M205");
  EXPECT_THAT(answer.reason.message, HasSubstr("without MLLP framing"));
}

TEST_F(BadAnswer, ThatNeverEndsIsKeptAndSaidToBeCutOff) {
  const Answer answer = answer_to("\x0BMSH|^~\\&|EHR\rMSA|AA|M");
  EXPECT_EQ(answer.reason.code, "M203");
  EXPECT_THAT(answer.reason.message, HasSubstr("cut off: 21 bytes"));
  EXPECT_EQ(text_of(answer.received), "\x0BMSH|^~\\&|EHR\rMSA|AA|M");
}

TEST_F(BadAnswer, ThatTheReceiverBreaksOffIsKept) {
  const Answer answer = answer_before_closing("\x0BMSH|^~\\&|EHR\rMSA|AA|M");
  EXPECT_EQ(answer.reason.code, "M215");
  EXPECT_EQ(text_of(answer.received), "\x0BMSH|^~\\&|EHR\rMSA|AA|M");
}

TEST_F(BadAnswer, ForAnotherMessageBeforeTheConnectionEndsIsKept) {
  const Answer answer = answer_before_closing(acknowledgement("OTHER"));
  EXPECT_EQ(answer.reason.code, "M215");
  EXPECT_THAT(answer.reason.message, HasSubstr("1 for other messages came"));
  EXPECT_THAT(answer.reason.message, Not(HasSubstr("OTHER"))) << "it goes into the log";
  EXPECT_EQ(answer.quoted, "the last acknowledgement for another message names 'OTHER'");
  EXPECT_EQ(text_of(answer.received), acknowledgement("OTHER"));
}

TEST_F(BadAnswer, IsKeptToABound) {
  const Answer garbage = answer_to(std::string(300'000, 'x'));
  EXPECT_EQ(text_of(garbage.received), std::string(mllp::Deframer::kKept, 'x'));
  sender.reset();
  settle();
  const Answer less = answer_to(std::string(300'000, 'x'), {{"max_response", "10KB"}});
  EXPECT_EQ(text_of(less.received).size(), 10u * 1024);
}

TEST_F(BadAnswer, OfNothingIsNothing) {
  const Answer answer = answer_to("");
  EXPECT_EQ(answer.reason.code, "M203");
  EXPECT_FALSE(answer.received);
  EXPECT_EQ(report.counted("bad_answers_total"), 0);
}

TEST_F(BadAnswer, OfANegativeCommitIsKept) {
  const Answer answer = answer_to("\x0B\x15\x1C\r", {{"mllp_release", "2"}});
  EXPECT_EQ(answer.reason.code, "M207");
  EXPECT_EQ(text_of(answer.received), "\x0B\x15\x1C\r");
}

// What came for an earlier message on the same connection is not shown as the answer to this one.
TEST_F(BadAnswer, BeginsWithTheMessageItIsAbout) {
  int sent = 0;
  start(
      [&sent](const std::string&) {
        return ++sent == 1 ? acknowledgement("M1") : std::string("\x0BOK\x1C\r");
      },
      {{"timeout", "100ms"}});
  run([this]() -> asio::awaitable<void> {
    const Answer first = co_await deliver(kMessage);
    EXPECT_EQ(first.kind, Kind::delivered);
    EXPECT_FALSE(first.received);
  }());
  EXPECT_EQ(text_of(delivered().received), "\x0BOK\x1C\r");
}

}  // namespace
}  // namespace cannula::test
