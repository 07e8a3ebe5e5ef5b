#include "channels/mllp/receiver.h"

#include "channels/mllp/error_codes.h"
#include "channels/mllp/mllp.h"
#include "channels/transport/network.h"
#include "tests/unit/channels/mllp/receiver_fixture.h"

namespace cannula::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(MllpReceiver, StoresAMessageAndAcknowledgesIt) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
  }());
  ASSERT_EQ(intake.arrivals.size(), 1u);
  const Arrival& arrival = intake.arrivals[0];
  EXPECT_EQ(*arrival.body, message("1"));
  EXPECT_EQ(arrival.event, "ORU^R01");
  EXPECT_EQ(arrival.control_id, "1");
  EXPECT_EQ(arrival.peer_address, "127.0.0.1");
  EXPECT_FALSE(arrival.defect);
  EXPECT_EQ(intake.peers.size(), 1u);
}

TEST_F(MllpReceiver, AsksOnceAConnectionWhetherThePeerMayConnect) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    for (int i = 0; i < 3; ++i) {
      co_await sender->write(framed(message("1")));
      co_await sender->answers(1);
    }
    EXPECT_EQ(intake.peers.size(), 1u);
    intake.refuse_peers = true;
    auto other = co_await client();
    const bool closed = co_await other->closed();
    EXPECT_TRUE(closed) << "without an answer";
  }());
  EXPECT_EQ(intake.arrivals.size(), 3u);
}

TEST_F(MllpReceiver, OffersAllMessagesOfOneReadTogetherAndAnswersInOrder) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1")) + framed(message("2")) + framed(message("3")));
    const auto answers = co_await sender->answers(3);
    EXPECT_THAT(answers, ElementsAre("AA 1", "AA 2", "AA 3"));
  }());
  EXPECT_THAT(intake.batches, ElementsAre(3u));
}

TEST_F(MllpReceiver, TakesALargeMessageWhole) {
  start();
  const std::string large = message("large", "OBX|1|ED|||" + std::string(5 << 20, 'A') + "\r");
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(large));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA large"));
  }());
  EXPECT_EQ(*intake.arrivals.at(0).body, large);
}

TEST_F(MllpReceiver, AnswersWhatTheIntakeSays) {
  start();
  intake.decide = [](const Arrival& arrival) {
    Receipt receipt;
    if (arrival.control_id == "refused") {
      receipt.disposition = Disposition::refused;
      receipt.id = MessageId{7};
    }
    receipt.reason = {"P123", "this partner may not send ORU^R01", "add it to `may`", std::nullopt};
    if (arrival.control_id == "own") {
      receipt.disposition = Disposition::accepted;
      receipt.reply.emplace().body = make_bytes("MSH|^~\\&\rMSA|AA|own|by the script\r");
    }
    return receipt;
  };
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("refused")) + framed(message("failed")) +
                           framed(message("own")) + framed(message("failed", "", "|||AL|NE")));
    const auto answers = co_await sender->answers(4);
    EXPECT_THAT(answers, ElementsAre("AR refused", "AE failed", "AA own", "CE failed"));
    EXPECT_THAT(sender->raw[0], HasSubstr("may not send ORU"));
    EXPECT_THAT(sender->raw[0], HasSubstr("P123"));
    EXPECT_THAT(sender->raw[0], HasSubstr("|0000000000007|"))
        << "the id to ask for on the telephone";
    EXPECT_THAT(sender->raw[2], HasSubstr("by the script"));
  }());
}

TEST_F(MllpReceiver, HonoursTheAcknowledgementsThatTheSenderAsksFor) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("always", "", "|||AL|NE")) +
                           framed(message("never", "", "|||NE|NE")) +
                           framed(message("errors", "", "|||ER|NE")) + framed(message("plain")));
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("CA always", "AA plain"));
  }());
  EXPECT_EQ(intake.arrivals.size(), 4u);
}

TEST_F(MllpReceiver, NeverAnswersAnAcknowledgement) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed("MSH|^~\\&|A|B|C|D|2026||ACK^R01|5|P|2.5\rMSA|AA|77\r") +
                           framed(message("next")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA next"));
  }());
  EXPECT_EQ(intake.arrivals.size(), 2u);
}

TEST_F(MllpReceiver, AnswersTenThousandPipelinedMessages) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    std::string all;
    for (int i = 0; i < 10'000; ++i) all += framed(message(std::to_string(i)));
    asio::co_spawn(
        io,
        [](Client& to, std::string bytes) -> asio::awaitable<void> {
          co_await to.write(std::move(bytes));
        }(*sender, std::move(all)),
        asio::detached);
    const auto answers = co_await sender->answers(10'000);
    EXPECT_EQ(answers.size(), 10'000u);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const std::string expected = "AA " + std::to_string(i);
      if (answers[i] != expected) {
        EXPECT_EQ(answers[i], expected);
        break;
      }
    }
  }());
  EXPECT_LT(intake.batches.size(), 5'000u) << "many share one wait for the disk";
}

TEST_F(MllpReceiver, StopsAfterAnsweringWhatWasOffered) {
  start();
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  run([this]() -> asio::awaitable<void> {
    auto idle = co_await client();
    auto sender = co_await client();
    co_await sender->write(framed(message("1")));
    co_await until([this] { return intake.arrivals.size() == 1; });
    bool stopped = false;
    asio::co_spawn(
        io,
        [](Receiver& stopping, bool& done) -> asio::awaitable<void> {
          co_await stopping.stop(kNever);
          done = true;
        }(*receiver, stopped),
        asio::detached);
    const bool closed = co_await idle->closed();
    EXPECT_TRUE(closed);
    EXPECT_FALSE(stopped);
    intake.held->cancel();
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
    sender->close();
    co_await until([&] { return stopped; });
    EXPECT_TRUE(stopped);
    const Endpoint endpoint = Endpoint::parse(receiver->address()).value();
    const auto refused = co_await connect(io.get_executor(), endpoint, nullptr, kNever);
    EXPECT_FALSE(refused);
  }());
}

TEST_F(MllpReceiver, StopsAtTheEndOfItsGraceThoughAnOfferHangs) {
  start();
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1")));
    co_await until([this] { return intake.arrivals.size() == 1; });
    co_await receiver->stop(50ms);
    const bool closed = co_await sender->closed();
    EXPECT_TRUE(closed);
    receiver.reset();
    intake.held->cancel();
    co_await pause(20ms);
  }());
}

TEST_F(MllpReceiver, SaysWhyItCannotStart) {
  start();
  const Values values = values_of(mllp::receiver_options(), {{"listen", receiver->address()}});
  auto second = mllp::make_receiver(values, ports(), intake).value();
  EXPECT_EQ(second->start().error().code, "T101");
}

TEST_F(MllpReceiver, CommitsFramesBeforeItAcknowledgesThemInRelease2) {
  start({{"mllp_release", "2"}});
  intake.decide = [this](const Arrival& arrival) {
    Receipt receipt;
    if (arrival.control_id == "failed") return receipt;
    receipt.id = MessageId{++intake.last_id};
    receipt.disposition = Disposition::accepted;
    return receipt;
  };
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    // The sender's own commit of our acknowledgement is no message.
    co_await sender->write(framed(message("1")) + "\x0B\x06\x1C\r" + framed(message("failed")) +
                           framed(message("quiet", "", "|||NE|NE")));
    const auto answers = co_await sender->answers(5);
    EXPECT_THAT(answers, ElementsAre("\x06", "AA 1", "\x15", "AE failed", "\x06"));
  }());
  EXPECT_EQ(intake.arrivals.size(), 3u);
}

TEST_F(MllpReceiver, GivesTheApplicationAcknowledgementWhereNobodyElseDoes) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1", "", "|||ER|AL")) +
                           framed(message("2", "", "|||NE|AL")) +
                           framed(message("3", "", "|||NE|NE")) + framed(message("4")));
    const auto answers = co_await sender->answers(3);
    EXPECT_THAT(answers, ElementsAre("AA 1", "AA 2", "AA 4"));
  }());
}

TEST_F(MllpReceiver, LeavesTheApplicationAcknowledgementToTheEngineWhereItIsConfigured) {
  start({{"application_ack", "acks"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1", "", "||||AL")) +
                           framed(message("2", "", "|||AL|AL")) + framed(message("3")) +
                           framed(message("4", "", "|||NE|AL")) + framed(message("5")));
    const auto answers = co_await sender->answers(3);
    EXPECT_THAT(answers, ElementsAre("CA 2", "AA 3", "AA 5"));
  }());
}

TEST_F(MllpReceiver, ConnectsToASenderThatWaitsAndComesBackWhenItWasAway) {
  const auto waiting = std::shared_ptr<Listener>(
      Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value());
  const Endpoint address = Endpoint::parse(waiting->address()).value();
  start({{"connect", waiting->address()}, {"reconnect_max", "10ms"}});
  EXPECT_EQ(receiver->address(), "");
  run([&]() -> asio::awaitable<void> {
    for (const std::string id : {"1", "2"}) {
      auto socket = co_await waiting->accept();
      auto stream = co_await accept_stream(std::move(*socket), nullptr, kNever);
      Client sender(*std::move(stream));
      co_await sender.write(framed(message(id)));
      const auto answers = co_await sender.answers(1);
      EXPECT_THAT(answers, ElementsAre("AA " + id));
      sender.close();
    }
    waiting->close();
    co_await until([this] { return report.lines_with("tried again until it works") > 0; });
    EXPECT_TRUE(report.not_reached_because);
    const std::shared_ptr<Listener> back =
        Listener::open(io.get_executor(), address, report).value();
    auto socket = co_await back->accept();
    EXPECT_TRUE(socket);
    co_await until([this] { return !report.not_reached_because; });
    co_await receiver->stop(kNever);
  }());
  EXPECT_EQ(intake.arrivals.size(), 2u);
}

TEST_F(MllpReceiver, NeedsToListenOrToConnect) {
  Values values = values_of(mllp::receiver_options(), {});
  EXPECT_EQ(mllp::make_receiver(values, ports(), intake).error().code, "M109");
  values =
      values_of(mllp::receiver_options(), {{"listen", "127.0.0.1:0"}, {"connect", "127.0.0.1:1"}});
  EXPECT_EQ(mllp::make_receiver(values, ports(), intake).error().code, "M109");
  values = values_of(mllp::receiver_options(), {{"listen", "127.0.0.1:0"}});
  values.set("connect_tls", std::make_shared<const Values>());
  EXPECT_EQ(mllp::make_receiver(values, ports(), intake).error().code, "M109");
}

TEST(MllpTransport, DescribesItsOptionsAndCodes) {
  const Transport transport = mllp::transport();
  EXPECT_EQ(transport.type, "mllp");
  for (const auto options : {transport.source_options, transport.destination_options}) {
    EXPECT_FALSE(options.empty());
    for (const Option& option : options) {
      EXPECT_TRUE(option.description.ends_with('.')) << option.name;
      if (option.default_value.empty()) continue;
      EXPECT_NO_THROW(parse_value(option, option.default_value));
    }
  }
  std::string_view last;
  for (const ErrorCode& code : mllp::error_codes()) {
    EXPECT_LT(last, code.code);
    EXPECT_GT(code.explanation.size(), 40u) << code.code;
    last = code.code;
  }
}

}  // namespace
}  // namespace cannula::test
