// What senders do wrong with frames, and what becomes of what they sent.
#include "tests/unit/channels/mllp/receiver_fixture.h"

namespace cannula::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(MllpReceiver, TakesAMessageThatArrivesByteByByte) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    for (const char byte : framed(message("slow"))) co_await sender->write(std::string(1, byte));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA slow"));
  }());
  EXPECT_THAT(intake.bodies(), ElementsAre(message("slow")));
}

TEST_F(MllpReceiver, SkipsGarbageAndGoesOn) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write("secret junk" + framed(message("1")) + "more" + framed(message("2")));
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("AA 1", "AA 2"));
  }());
  EXPECT_EQ(report.counted("garbage_bytes_total"), 10 + 4);
  EXPECT_EQ(report.lines_with("[M101]"), 1u);
  EXPECT_EQ(report.lines_with("secret"), 0u) << "content is not logged";
}

TEST_F(MllpReceiver, TellsWhatTheSenderSpeaksInsteadOfMllp) {
  start();
  run([this]() -> asio::awaitable<void> {
    for (const std::string bytes : {"GET / HTTP/1.1\r\n", "\x16\x03\x01\x02", "MSH|^~\\&|LAB\r"}) {
      auto sender = co_await client();
      co_await sender->write(bytes);
      sender->close();
    }
    co_await until([this] { return report.lines_with("[M101]") == 3; });
  }());
  EXPECT_EQ(report.lines_with("HTTP"), 1u);
  EXPECT_EQ(report.lines_with("TLS handshake"), 1u);
  EXPECT_EQ(report.lines_with("without MLLP framing"), 1u);
}

TEST_F(MllpReceiver, KeepsAFrameWithoutHeaderAndRejectsIt) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("PID|1||4711\r") + framed(message("2")));
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("AR ", "AA 2"));
  }());
  ASSERT_TRUE(intake.arrivals.at(0).defect);
  EXPECT_EQ(intake.arrivals[0].defect->code, "M103");
  EXPECT_EQ(*intake.arrivals[0].body, "PID|1||4711\r");
}

TEST_F(MllpReceiver, IgnoresEmptyFrames) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("") + framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
  }());
  EXPECT_EQ(intake.arrivals.size(), 1u);
}

TEST_F(MllpReceiver, KeepsWhatACutConnectionHadBegun) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1")) + "\x0B" + message("half"));
    co_await sender->answers(1);
    sender->close();
    co_await until([this] { return intake.arrivals.size() == 2; });
  }());
  ASSERT_EQ(intake.arrivals.size(), 2u);
  ASSERT_TRUE(intake.arrivals[1].defect);
  EXPECT_EQ(intake.arrivals[1].defect->code, "M104");
  EXPECT_EQ(intake.arrivals[1].control_id, "half");
}

TEST_F(MllpReceiver, DoesNotAnswerAMessageGivenUpHalfWay) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write("\x0B" + message("1", "PID|1||47") + framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
  }());
  ASSERT_EQ(intake.arrivals.size(), 2u);
  EXPECT_TRUE(intake.arrivals[0].defect);
  EXPECT_FALSE(intake.arrivals[1].defect);
}

TEST_F(MllpReceiver, AnswersASenderThatNeverSendsTheFinalCr) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    for (const std::string id : {"1", "2"}) {
      co_await sender->write("\x0B" + message(id, "PID|1") + "\x1C");
      const auto answers = co_await sender->answers(1);
      EXPECT_THAT(answers, ElementsAre("AA " + id));
    }
  }());
  EXPECT_EQ(intake.arrivals.size(), 2u);
}

TEST_F(MllpReceiver, AnswersASenderThatClosesItsHalfAtOnce) {
  start();
  const auto port = Endpoint::parse(receiver->address())->port;
  asio::ip::tcp::socket socket(io);
  socket.connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), port));
  asio::write(socket, asio::buffer("\x0B" + message("1", "PID|1") + "\x1C"));
  socket.shutdown(asio::ip::tcp::socket::shutdown_send);
  run([&]() -> asio::awaitable<void> {
    std::array<char, 2000> buffer;
    const auto count = co_await socket.async_read_some(asio::buffer(buffer), asio::use_awaitable);
    const std::string answer(buffer.data(), count);
    EXPECT_THAT(answer, HasSubstr("MSA|AA|1"));
  }());
}

}  // namespace
}  // namespace cannula::test
