#include "channels/mllp/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "channels/mllp/error_codes.h"
#include "channels/mllp/framing/deframer.h"
#include "channels/mllp/mllp.h"
#include "channels/transport/network.h"
#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/batch.h"
#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

using mllp::Deframer;
using mllp::Frame;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string message(const std::string& control_id, const std::string& rest = "PID|1||4711\r",
                    const std::string& ends = "") {
  return "MSH|^~\\&|LAB|HOSP|CANNULA|HOSP|20260101120000||ORU^R01^ORU_R01|" + control_id +
         "|P|2.5.1" + ends + "\r" + rest;
}

std::string framed(std::string_view content) {
  return "\x0B" + std::string(content) + "\x1C\r";
}

// A sender in a test's hands.
class Client {
 public:
  explicit Client(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

  asio::awaitable<void> write(std::string bytes) {
    const std::array<asio::const_buffer, 1> piece{asio::buffer(bytes)};
    const auto written = co_await stream_->write(piece, kNever);
    EXPECT_TRUE(written) << written.error().text();
  }

  // The next `count` acknowledgements, as "AA control-id"; fewer when the connection ends.
  asio::awaitable<std::vector<std::string>> answers(std::size_t count) {
    std::vector<std::string> found;
    while (found.size() < count) {
      while (!frames_.empty() && found.size() < count) {
        raw.push_back(frames_.front().content);
        frames_.erase(frames_.begin());
        const auto parsed = hl7v2::Acknowledgement::parse(raw.back());
        found.push_back(parsed
                            ? std::string(hl7v2::name_of(parsed->code)) + " " + parsed->control_id
                            : raw.back());
      }
      if (found.size() == count || !co_await read()) break;
    }
    co_return found;
  }

  // Whether the other side closes without another word.
  asio::awaitable<bool> closed() {
    const bool more = co_await read();
    co_return !more && frames_.empty();
  }

  void close() { stream_->close(); }
  Stream& stream() { return *stream_; }

  std::vector<std::string> raw;  // all acknowledgements so far

 private:
  asio::awaitable<bool> read() {
    std::vector<char> buffer(64 * 1024);
    const auto count = co_await stream_->read_some(asio::buffer(buffer), kNever);
    if (!count || *count == 0) co_return false;
    deframer_.feed({buffer.data(), *count}, frames_);
    co_return true;
  }

  std::unique_ptr<Stream> stream_;
  Deframer deframer_{1 << 20};
  std::vector<Frame> frames_;
};

class MllpReceiver : public ExecutorTest {
 protected:
  ~MllpReceiver() override {
    receiver.reset();
    io.restart();
    io.run_for(50ms);
  }

  void start(std::map<std::string, std::string> written = {}, const Values* tls = nullptr) {
    if (!written.contains("connect")) written.emplace("listen", "127.0.0.1:0");
    Values values = values_of(mllp::receiver_options(), written);
    if (tls != nullptr) values.set("tls", std::make_shared<const Values>(*tls));
    receiver = mllp::make_receiver(values, ports(), intake).value();
    const auto started = receiver->start();
    ASSERT_TRUE(started) << started.error().text();
  }

  asio::awaitable<std::unique_ptr<Client>> client(std::shared_ptr<TlsContext> tls = nullptr) {
    const Endpoint endpoint = Endpoint::parse(receiver->address()).value();
    auto stream = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_TRUE(stream) << stream.error().text();
    co_return std::make_unique<Client>(*std::move(stream));
  }

  FakeIntake intake;
  std::unique_ptr<Receiver> receiver;
};

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

TEST_F(MllpReceiver, ClosesAFloodWithoutFrames) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    const std::string flood(64 * 1024, 'x');
    const std::array<asio::const_buffer, 1> piece{asio::buffer(flood)};
    bool refused = false;
    for (int i = 0; i < 200 && !refused; ++i) {
      const auto written = co_await sender->stream().write(piece, kNever);
      refused = !written;
      if (report.lines_with("[M102]") > 0) break;
      co_await pause(1ms);
    }
    co_await until([this] { return report.lines_with("[M102]") == 1; });
  }());
  EXPECT_EQ(report.lines_with("[M102]"), 1u);
  EXPECT_THAT(intake.arrivals, IsEmpty());
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

TEST_F(MllpReceiver, RefusesAnOversizedMessageAndGoesOn) {
  start({{"max_size", "100KB"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("big", std::string(500 * 1024, 'x') + "\r")) +
                           framed(message("2")));
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("AE big", "AA 2"));
    EXPECT_THAT(sender->raw[0], HasSubstr("M105"));
  }());
  ASSERT_EQ(intake.arrivals.size(), 2u);
  EXPECT_EQ(intake.arrivals[0].defect->code, "M105");
  EXPECT_EQ(intake.arrivals[0].body->size(), Deframer::kKept);
  EXPECT_TRUE(intake.arrivals[0].body->starts_with("MSH|"));
}

TEST_F(MllpReceiver, ClosesAfterAMessageWithoutEnd) {
  start({{"max_size", "10KB"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write("\x0B" + message("endless", std::string(400 * 1024, 'x')));
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("AE endless"));
  }());
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(intake.arrivals[0].defect->code, "M105");
}

TEST_F(MllpReceiver, ClosesAConnectionThatStallsWithinAMessageButNotBetweenThem) {
  start({{"frame_timeout", "100ms"}});
  run([this]() -> asio::awaitable<void> {
    auto quiet = co_await client();
    auto stalled = co_await client();
    co_await stalled->write("\x0B" + message("stalled"));
    const bool closed = co_await stalled->closed();
    EXPECT_TRUE(closed);
    co_await quiet->write(framed(message("quiet")));
    const auto answers = co_await quiet->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA quiet"));
  }());
  ASSERT_EQ(intake.arrivals.size(), 2u);
  EXPECT_EQ(intake.arrivals[0].defect->code, "M104");
}

TEST_F(MllpReceiver, ClosesIdleConnectionsWhereThatIsAskedFor) {
  start({{"idle_timeout", "50ms"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    const bool closed = co_await sender->closed();
    EXPECT_TRUE(closed);
  }());
}

TEST_F(MllpReceiver, ServesTheNextConnectionBesideAThousandIdleOnes) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < 2200) GTEST_SKIP() << "not enough descriptors: " << limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  start();
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> idle;
    for (int i = 0; i < 1000; ++i) idle.push_back(co_await client());
    auto sender = co_await client();
    co_await sender->write(framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
    co_await idle[500]->write(framed(message("2")));
    const auto others = co_await idle[500]->answers(1);
    EXPECT_THAT(others, ElementsAre("AA 2"));
  }());
}

TEST_F(MllpReceiver, RefusesMoreConnectionsThanAllowedAndTakesThemAgainLater) {
  start({{"max_connections", "2"}});
  run([this]() -> asio::awaitable<void> {
    auto first = co_await client();
    auto second = co_await client();
    co_await until([this] { return report.counted("connections_total") == 2; });
    for (int i = 0; i < 3; ++i) {
      auto third = co_await client();
      const bool closed = co_await third->closed();
      EXPECT_TRUE(closed);
    }
    EXPECT_EQ(report.lines_with("[M106]"), 1u) << "said once, not for each";
    EXPECT_EQ(report.counted("connections_refused_total"), 3);
    first->close();
    co_await pause(50ms);
    auto fourth = co_await client();
    co_await fourth->write(framed(message("4")));
    const auto answers = co_await fourth->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 4"));
  }());
}

TEST_F(MllpReceiver, BoundsWhatASenderThatReadsNoAnswersCanOccupy) {
  start({{"write_timeout", "200ms"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    // Without an end, so that sooner or later no more acknowledgements fit into the network's
    // buffers.
    const std::string part = framed(message("x", ""));
    std::string many;
    for (int i = 0; i < 500; ++i) many += part;
    const std::array<asio::const_buffer, 1> piece{asio::buffer(many)};
    bool lost = false;
    for (int i = 0; i < 2000 && !lost; ++i)
      lost = !co_await sender->stream().write(piece, 10'000ms);
    EXPECT_TRUE(lost) << "the receiver closed";
    co_await until([this] { return report.lines_with("could not be acknowledged") == 1; });
  }());
  EXPECT_EQ(report.lines_with("could not be acknowledged"), 1u);
  for (const std::size_t batch : intake.batches) ASSERT_LT(batch, 1000u);
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

TEST_F(MllpReceiver, ReadsNothingMoreWhileTheIntakeHasNoRoom) {
  start();
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1")));
    co_await until([this] { return intake.arrivals.size() == 1; });
    co_await sender->write(framed(message("2")));
    co_await pause(50ms);
    EXPECT_EQ(intake.arrivals.size(), 1u);
    intake.held->cancel();
    co_await until([this] { return intake.arrivals.size() == 2; });
    intake.held->cancel();
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("AA 1", "AA 2"));
  }());
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

TEST_F(MllpReceiver, SpeaksTlsWithClientCertificates) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const auto lab = authority.issue("lab", {"DNS:reference-lab.example"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate},
                                       {"key", server.key},
                                       {"client_ca", authority.certificate()}});
  const Values client_values = values_of(
      tls_client_options(),
      {{"ca", authority.certificate()}, {"certificate", lab.certificate}, {"key", lab.key}});
  const auto tls = make_client_tls(&client_values, ports()).value();
  start({}, &server_values);
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client(tls);
    co_await sender->write(framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
    auto plain = co_await client();
    co_await plain->write(framed(message("2")));
    const auto refused = co_await plain->answers(1);
    EXPECT_THAT(refused, testing::Not(testing::Contains(HasSubstr("AA"))));
  }());
  ASSERT_EQ(intake.peers.size(), 1u);
  EXPECT_TRUE(intake.peers[0].over_tls);
  EXPECT_THAT(intake.peers[0].certificate_names, ElementsAre("reference-lab.example"));
  EXPECT_EQ(report.lines_with("[T106]"), 1u);
}

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

TEST_F(MllpReceiver, LeavesTheApplicationAcknowledgementToTheEngineWhereItIsConfigured) {
  start({{"application_ack", "acks"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(framed(message("1", "", "||||AL")) +
                           framed(message("2", "", "|||AL|AL")) + framed(message("3")));
    const auto answers = co_await sender->answers(2);
    EXPECT_THAT(answers, ElementsAre("CA 2", "AA 3"));
  }());
}

TEST_F(MllpReceiver, LimitsTheConnectionsOfOneAddress) {
  start({{"max_connections_per_address", "2"}});
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> open;
    for (int i = 0; i < 2; ++i) {
      open.push_back(co_await client());
      co_await open.back()->write(framed(message("1")));
      co_await open.back()->answers(1);
    }
    auto third = co_await client();
    const bool closed = co_await third->closed();
    EXPECT_TRUE(closed);
    open.pop_back();
    co_await pause(20ms);
    auto again = co_await client();
    co_await again->write(framed(message("2")));
    const auto answers = co_await again->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 2"));
  }());
  EXPECT_EQ(report.lines_with("[M108]"), 1u);
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
    const std::shared_ptr<Listener> back =
        Listener::open(io.get_executor(), address, report).value();
    auto socket = co_await back->accept();
    EXPECT_TRUE(socket);
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

TEST_F(MllpReceiver, UsesRenewedCertificatesForNewConnectionsAndKeepsTheOldOnes) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate}, {"key", server.key}});
  const Values client_values = values_of(tls_client_options(), {{"ca", authority.certificate()}});
  const auto tls = make_client_tls(&client_values, ports()).value();
  start({}, &server_values);
  run([&]() -> asio::awaitable<void> {
    auto old = co_await client(tls);
    const Endpoint endpoint = Endpoint::parse(receiver->address()).value();
    authority.issue("server", {"DNS:other.example"});
    auto other = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_FALSE(other) << "the certificate in the file names another host now";
    folder.write("server.pem", "not a certificate");
    auto still = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_FALSE(still);
    authority.issue("server", {"IP:127.0.0.1"});
    auto renewed = co_await client(tls);
    for (Client* one : {old.get(), renewed.get()}) {
      co_await one->write(framed(message("1")));
      const auto answers = co_await one->answers(1);
      EXPECT_THAT(answers, ElementsAre("AA 1"));
    }
  }());
  EXPECT_EQ(report.lines_with("new connections use what is in them now"), 2u);
  EXPECT_EQ(report.lines_with("cannot be used"), 1u);
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
