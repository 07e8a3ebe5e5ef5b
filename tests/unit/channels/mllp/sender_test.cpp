#include "channels/mllp/sender.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/mllp/framing/deframer.h"
#include "channels/mllp/receiver.h"
#include "channels/transport/network.h"
#include "parsers/hl7v2/header.h"
#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/mllp/partner.h"

namespace cannula::test {

namespace {

using mllp::Deframer;
using mllp::Frame;
using testing::ElementsAre;
using testing::HasSubstr;

std::string message(const std::string& control_id, const std::string& ends = "") {
  return "MSH|^~\\&|CANNULA|HOSP|EHR|HOSP|20260101120000||ADT^A01^ADT_A01|" + control_id +
         "|P|2.5.1" + ends + "\rPID|1||4711\r";
}

std::string acknowledgement(const std::string& code, const std::string& control_id,
                            const std::string& more = "") {
  return "\x0BMSH|^~\\&|EHR|HOSP|CANNULA|HOSP|20260101120001||ACK|9|P|2.5.1\rMSA|" + code + "|" +
         control_id + more + "\r\x1C\r";
}

using MllpSender = MllpSenderTest;
using Kind = Answer::Kind;

TEST_F(MllpSender, DeliversAndKeepsTheAcknowledgement) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1"));
    EXPECT_EQ(answer.kind, Kind::delivered);
    EXPECT_THAT(*answer.response, HasSubstr("MSA|AA|1"));
    EXPECT_FALSE(answer.response->starts_with("\x0B"));
  }());
  EXPECT_THAT(partner->received, ElementsAre(message("1")));
}

TEST_F(MllpSender, TakesACommitAcknowledgementForDelivered) {
  start([](const std::string& id) { return acknowledgement("CA", id); });
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1", "|||AL|NE"));
    EXPECT_EQ(answer.kind, Kind::delivered);
  }());
}

TEST_F(MllpSender, UsesAConnectionAgain) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  run([this]() -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      const Answer answer = co_await deliver(message(std::to_string(i)));
      EXPECT_EQ(answer.kind, Kind::delivered);
    }
  }());
  EXPECT_EQ(partner->connections, 1u);
}

TEST_F(MllpSender, DeliversAtOnceOnAsManyConnectionsAsAreAsked) {
  start([](const std::string& id) { return acknowledgement("AA", id); }, {{"connections", "5"}});
  EXPECT_EQ(sender->concurrency(), 5u);
  run([this]() -> asio::awaitable<void> {
    std::size_t delivered = 0;
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 5; ++i) {
        asio::co_spawn(
            io,
            [](MllpSender* self, std::string id, std::size_t& count) -> asio::awaitable<void> {
              const Answer answer = co_await self->deliver(message(id));
              count += answer.kind == Kind::delivered ? 1 : 0;
            }(this, std::to_string(i), delivered),
            asio::detached);
      }
      co_await until([&] { return delivered == (round + 1) * 5u; });
    }
    EXPECT_EQ(delivered, 10u);
  }());
  EXPECT_EQ(partner->connections, 5u);
}

TEST_F(MllpSender, TellsARefusalInTheReceiversOwnWords) {
  for (const std::string code : {"AE", "AR", "CE", "CR"}) {
    start([code](const std::string& id) {
      return acknowledgement(code, id, "|unknown patient\rERR||PID^1^3|204^Unknown key|E");
    });
    run([&]() -> asio::awaitable<void> {
      const Answer answer = co_await deliver(message("1"));
      EXPECT_EQ(answer.kind, Kind::refused);
      EXPECT_EQ(answer.reason.code, "M201");
      EXPECT_THAT(answer.reason.message, HasSubstr(code + ": unknown patient"));
      EXPECT_THAT(answer.reason.message, HasSubstr("204"));
      EXPECT_TRUE(answer.response);
    }());
    sender.reset();
    settle();
  }
}

TEST_F(MllpSender, TriesAgainAfterTheRefusalsThatAreListed) {
  std::string code = "AE";
  start(
      [&code](const std::string& id) {
        return acknowledgement(code, id, "\rERR|||206^Application record locked|E");
      },
      {{"retry_on", "206"}});
  run([&]() -> asio::awaitable<void> {
    const Answer listed = co_await deliver(message("1"));
    EXPECT_EQ(listed.kind, Kind::retry);
    EXPECT_EQ(listed.reason.code, "M202");
    EXPECT_TRUE(listed.response);
  }());
  EXPECT_EQ(partner->connections, 1u);
}

TEST_F(MllpSender, SkipsAcknowledgementsOfOtherMessages) {
  start([](const std::string& id) {
    return acknowledgement("AR", "other") + acknowledgement("AA", id) + acknowledgement("AA", id);
  });
  run([this]() -> asio::awaitable<void> {
    for (const std::string id : {"1", "2", "3"}) {
      const Answer answer = co_await deliver(message(id));
      EXPECT_EQ(answer.kind, Kind::delivered);
      EXPECT_THAT(*answer.response, HasSubstr("MSA|AA|" + id));
    }
  }());
  EXPECT_EQ(report.counted("acknowledgements_unmatched_total"), 3);
}

TEST_F(MllpSender, NeverTakesALateAcknowledgementForTheNextMessage) {
  start(
      [](const std::string& id) -> std::optional<std::string> {
        return id == "first" ? "" : acknowledgement("AA", "first") + acknowledgement("AR", id);
      },
      {{"timeout", "100ms"}});
  run([this]() -> asio::awaitable<void> {
    const Answer first = co_await deliver(message("first"));
    EXPECT_EQ(first.kind, Kind::retry);
    EXPECT_EQ(first.reason.code, "M203");
    EXPECT_FALSE(first.response);
    const Answer second = co_await deliver(message("second"));
    EXPECT_EQ(second.kind, Kind::refused);
  }());
  EXPECT_EQ(partner->connections, 2u) << "a connection that ran into a time-out is not used again";
}

TEST_F(MllpSender, NamesTheWrongControlIdThatKeepsComing) {
  start([](const std::string&) { return acknowledgement("AA", "wrong-one"); },
        {{"timeout", "100ms"}});
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1"));
    EXPECT_EQ(answer.kind, Kind::retry);
    EXPECT_EQ(answer.reason.code, "M203");
    EXPECT_THAT(answer.reason.message, HasSubstr("1 for other messages came"));
  }());
}

TEST_F(MllpSender, TakesAnAcknowledgementWithoutControlId) {
  start([](const std::string&) { return acknowledgement("AA", ""); });
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1"));
    EXPECT_EQ(answer.kind, Kind::delivered);
  }());
}

TEST_F(MllpSender, SendsAPayloadWithoutHeader) {
  start([](const std::string&) { return acknowledgement("AA", "whatever"); });
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver("no HL7 at all");
    EXPECT_EQ(answer.kind, Kind::delivered);
  }());
  EXPECT_THAT(partner->received, ElementsAre("no HL7 at all"));
}

TEST_F(MllpSender, DoesNotTakeJustAnythingForAnAcknowledgement) {
  start([](const std::string&) { return "\x0BOK\x1C\r"; }, {{"timeout", "100ms"}});
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1"));
    EXPECT_EQ(answer.kind, Kind::retry);
    EXPECT_EQ(answer.reason.code, "M205");
  }());
}

TEST_F(MllpSender, WaitsForNoAnswerWhereTheMessageAsksForNone) {
  start([](const std::string&) { return ""; });
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1", "|||NE|NE"));
    EXPECT_EQ(answer.kind, Kind::delivered);
    EXPECT_FALSE(answer.response);
    co_await until([this] { return partner->received.size() == 1; });
    EXPECT_EQ(partner->received.size(), 1u);
  }());
}

TEST_F(MllpSender, RefusesAPayloadThatWouldBreakTheFrame) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1") + "NTE|\x1C|\r");
    EXPECT_EQ(answer.kind, Kind::refused);
    EXPECT_EQ(answer.reason.code, "M204");
  }());
  EXPECT_EQ(partner->connections, 0u);
}

// The second would be an event of its own to the receiver, and its acknowledgement never fit.
TEST_F(MllpSender, RefusesAPayloadThatAReceiverWouldReadAsTwoMessages) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  run([this]() -> asio::awaitable<void> {
    for (const std::string before : {"\r", "\n", "\x0B", "\r\x0B", "\r \x0B"}) {
      const Answer answer = co_await deliver(message("1") + "NTE|1||x" + before + message("2"));
      EXPECT_EQ(answer.kind, Kind::refused);
      EXPECT_EQ(answer.reason.code, "M204");
    }
    const Answer batch = co_await deliver("BHS|^~\\&|LAB\r\x0B" + message("1") + "BTS|1\r");
    EXPECT_EQ(batch.kind, Kind::refused);
    const Answer text = co_await deliver(message("3") + "NTE|1||two\x0Blines\r");
    EXPECT_EQ(text.kind, Kind::delivered);
  }());
  EXPECT_EQ(partner->received.size(), 1u);
}

TEST_F(MllpSender, TriesAgainWhenTheReceiverClosesWithoutAnAnswer) {
  bool closes = true;
  start([&closes](const std::string& id) -> std::optional<std::string> {
    if (closes) return std::nullopt;
    return acknowledgement("AA", id);
  });
  run([&]() -> asio::awaitable<void> {
    const Answer first = co_await deliver(message("1"));
    EXPECT_EQ(first.kind, Kind::retry);
    EXPECT_EQ(first.reason.code, "T105");
    closes = false;
    const Answer second = co_await deliver(message("1"));
    EXPECT_EQ(second.kind, Kind::delivered);
  }());
}

TEST_F(MllpSender, NoticesAKeptConnectionThatThePeerHasClosed) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  run([this]() -> asio::awaitable<void> {
    co_await deliver(message("1"));
    for (Stream* stream : partner->open) stream->close();
    co_await until([this] { return partner->open.empty(); });
    const Answer answer = co_await deliver(message("2"));
    EXPECT_EQ(answer.kind, Kind::delivered);
  }());
  EXPECT_EQ(report.counted("connections_stale_total"), 1);
  EXPECT_THAT(partner->received, ElementsAre(message("1"), message("2")));
}

TEST_F(MllpSender, ReachesAReceiverThatComesBack) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  run([this]() -> asio::awaitable<void> {
    co_await deliver(message("1"));
    const std::uint16_t port = Endpoint::parse(partner->address())->port;
    partner->stop();
    co_await pause(20ms);
    const Answer down = co_await deliver(message("2"));
    EXPECT_EQ(down.kind, Kind::retry);
    EXPECT_EQ(down.reason.code, "T103");
    partner = std::make_unique<Partner>(
        io, report, [](const std::string& id) { return acknowledgement("AA", id); }, port);
    const Answer up = co_await deliver(message("2"));
    EXPECT_EQ(up.kind, Kind::delivered);
  }());
}

TEST_F(MllpSender, ReadsAnAnswerThatIsLargerThanItKeeps) {
  start(
      [](const std::string& id) {
        return acknowledgement("AA", id, "\rNTE|1||" + std::string(500'000, 'x'));
      },
      {{"max_response", "100KB"}});
  run([this]() -> asio::awaitable<void> {
    for (const std::string id : {"1", "2"}) {
      const Answer answer = co_await deliver(message(id));
      EXPECT_EQ(answer.kind, Kind::delivered);
      EXPECT_LE(answer.response->size(), 100u * 1024);
    }
  }());
}

TEST_F(MllpSender, DeliversALargePayload) {
  start([](const std::string& id) { return acknowledgement("AA", id); });
  const std::string large = message("1") + "OBX|1|ED|||" + std::string(5 << 20, 'A') + "\r";
  run([&]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(large);
    EXPECT_EQ(answer.kind, Kind::delivered);
  }());
  EXPECT_TRUE(partner->received.at(0) == large);
}

TEST_F(MllpSender, StopEndsDeliveriesUnderWay) {
  start([](const std::string&) { return ""; });
  run([this]() -> asio::awaitable<void> {
    std::vector<Answer> answers;
    for (const std::string id : {"1", "2"}) {
      asio::co_spawn(
          io,
          [](MllpSender* self, std::string own, std::vector<Answer>& out) -> asio::awaitable<void> {
            out.push_back(co_await self->deliver(message(own)));
          }(this, id, answers),
          asio::detached);
    }
    co_await until([this] { return partner->received.size() == 2; });
    co_await sender->stop();
    EXPECT_EQ(answers.size(), 2u);
    for (const Answer& answer : answers) {
      EXPECT_EQ(answer.kind, Kind::retry);
      EXPECT_EQ(answer.reason.code, "M206");
    }
    const Answer after = co_await deliver(message("3"));
    EXPECT_EQ(after.reason.code, "M206");
  }());
}

TEST_F(MllpSender, DeliversToItsOwnReceiverOverMutualTls) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const auto own = authority.issue("own", {"DNS:cannula.example"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate},
                                       {"key", server.key},
                                       {"client_ca", authority.certificate()}});
  const Values client_values = values_of(
      tls_client_options(),
      {{"ca", authority.certificate()}, {"certificate", own.certificate}, {"key", own.key}});
  FakeIntake intake;
  Values receiving = values_of(mllp::receiver_options(), {{"listen", "127.0.0.1:0"}});
  receiving.set("tls", std::make_shared<const Values>(server_values));
  auto receiver = mllp::make_receiver(receiving, ports(), intake).value();
  ASSERT_TRUE(receiver->start());
  connect_to(receiver->address(), {}, &client_values);
  run([&]() -> asio::awaitable<void> {
    for (const std::string id : {"1", "2", "3"}) {
      const Answer answer = co_await deliver(message(id));
      EXPECT_EQ(answer.kind, Kind::delivered) << answer.reason.text();
    }
    co_await sender->stop();
    co_await receiver->stop(kNever);
  }());
  EXPECT_EQ(intake.peers.size(), 1u);
  EXPECT_EQ(intake.arrivals.size(), 3u);
}

TEST_F(MllpSender, WaitsForTheCommitOfRelease2AndGivesItsOwn) {
  const std::string commit = "\x0B\x06\x1C\r";
  start(
      [&](const std::string& id) -> std::optional<std::string> {
        if (id.empty()) return "";  // our commit of its acknowledgement
        if (id == "nak") return "\x0B\x15\x1C\r";
        if (id == "quiet") return commit;
        return commit + acknowledgement("AA", id);
      },
      {{"mllp_release", "2"}});
  run([this]() -> asio::awaitable<void> {
    const Answer taken = co_await deliver(message("1"));
    EXPECT_EQ(taken.kind, Kind::delivered);
    EXPECT_THAT(*taken.response, HasSubstr("MSA|AA|1"));
    const Answer quiet = co_await deliver(message("quiet", "|||NE|NE"));
    EXPECT_EQ(quiet.kind, Kind::delivered);
    const Answer refused = co_await deliver(message("nak"));
    EXPECT_EQ(refused.kind, Kind::retry);
    EXPECT_EQ(refused.reason.code, "M207");
    co_await until([this] { return partner->received.size() >= 4; });
  }());
  EXPECT_THAT(partner->received, testing::Contains("\x06"));
}

TEST_F(MllpSender, WaitsForTheApplicationAcknowledgementWhereThatIsConfigured) {
  start(
      [](const std::string& id) {
        return acknowledgement("CA", id) +
               (id == "never" ? "" : acknowledgement(id == "bad" ? "AE" : "AA", id));
      },
      {{"wait_for", "application"}, {"application_timeout", "50ms"}});
  run([this]() -> asio::awaitable<void> {
    const Answer good = co_await deliver(message("1", "|||AL|AL"));
    EXPECT_EQ(good.kind, Kind::delivered);
    EXPECT_THAT(*good.response, HasSubstr("MSA|AA|1"));
    const Answer bad = co_await deliver(message("bad", "|||AL|AL"));
    EXPECT_EQ(bad.kind, Kind::refused);
    const Answer none = co_await deliver(message("one", "|||AL|NE"));
    EXPECT_THAT(*none.response, HasSubstr("MSA|CA|one"));
    const Answer never = co_await deliver(message("never", "|||AL|AL"));
    EXPECT_EQ(never.kind, Kind::retry);
    EXPECT_THAT(never.reason.message, HasSubstr("accepted the message (CA)"));
  }());
}

TEST_F(MllpSender, TakesTheBatchThatAnswersABatch) {
  const std::string batch =
      "BHS|^~\\&|CANNULA|HOSP|EHR|HOSP|1||||B1\r" + message("1") + message("2") + "BTS|2\r";
  const auto answer = [](const std::string& reference, const std::string& second) {
    return "\x0B"
           "BHS|^~\\&|EHR|HOSP|CANNULA|HOSP|1||||9|" +
           reference +
           "\rMSH|^~\\&|EHR|||||ACK|8|P|2.5.1\rMSA|AA|1\rMSH|^~\\&|EHR|||||ACK|9|P|2.5.1\rMSA|" +
           second + "|2|no\rBTS|2\r\x1C\r";
  };
  std::string reply = answer("B0", "AA");
  start([&](const std::string&) { return reply; }, {{"timeout", "2s"}});
  run([&]() -> asio::awaitable<void> {
    const Answer named_by_its_messages = co_await deliver(batch);
    EXPECT_EQ(named_by_its_messages.kind, Kind::delivered);
    reply = answer("B1", "AE");
    const Answer refused = co_await deliver(batch);
    EXPECT_EQ(refused.kind, Kind::refused);
    EXPECT_THAT(refused.reason.message, HasSubstr("1 messages of the batch were refused"));
    EXPECT_THAT(refused.reason.message, HasSubstr("(2) with AE: no"));
    reply = acknowledgement("AA", "B1");
    const Answer whole = co_await deliver(batch);
    EXPECT_EQ(whole.kind, Kind::delivered);
  }());
}

// A destination that listens, and a receiver that comes.
class MllpListeningSender : public MllpSender {
 public:
  void listen(std::map<std::string, std::string> written = {}, const Values* tls = nullptr) {
    // A port that was free a moment ago.
    address =
        Endpoint::parse(
            Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value()->address())
            .value();
    written.emplace("listen", address.text());
    written.emplace("timeout", "10s");
    Values values = values_of(mllp::sender_options(), written);
    if (tls != nullptr) values.set("listen_tls", std::make_shared<const Values>(*tls));
    sender = mllp::make_sender(values, ports()).value();
    sender->start([this] { ++reached; });
    settle();
  }

  asio::awaitable<void> answer_one(Stream& stream) {
    Deframer deframer(1 << 20);
    std::vector<Frame> frames;
    std::vector<char> buffer(64 * 1024);
    while (frames.empty()) {
      const auto count = co_await stream.read_some(asio::buffer(buffer), kNever);
      if (!count || *count == 0) co_return;
      deframer.feed({buffer.data(), *count}, frames);
    }
    const auto header = hl7v2::Header::peek(frames[0].content);
    const std::string bytes = acknowledgement("AA", std::string(header->control_id));
    const std::array<asio::const_buffer, 1> piece{asio::buffer(bytes)};
    co_await stream.write(piece, kNever);
  }

  Endpoint address;
  int reached = 0;
};

TEST_F(MllpListeningSender, SendsToWhoeverConnects) {
  listen();
  run([this]() -> asio::awaitable<void> {
    std::optional<Answer> answer;
    asio::co_spawn(
        io,
        [](MllpListeningSender* self, std::optional<Answer>* into) -> asio::awaitable<void> {
          *into = co_await self->deliver(message("1"));
        }(this, &answer),
        asio::detached);
    co_await pause(20ms);
    EXPECT_FALSE(answer) << "nobody is there yet";
    auto receiver = co_await connect(io.get_executor(), address, nullptr, kNever);
    co_await answer_one(**receiver);
    co_await until([&] { return answer.has_value(); });
    EXPECT_EQ(answer->kind, Kind::delivered) << answer->reason.text();
    EXPECT_EQ(reached, 1);
    (*receiver)->close();
    co_await pause(20ms);
    auto next = co_await connect(io.get_executor(), address, nullptr, kNever);
    co_await until([this] { return reached == 2; });
    asio::co_spawn(
        io,
        [](MllpListeningSender* self, Stream* stream) -> asio::awaitable<void> {
          co_await self->answer_one(*stream);
        }(this, next->get()),
        asio::detached);
    const Answer second = co_await deliver(message("2"));
    EXPECT_EQ(second.kind, Kind::delivered) << "by the one that is still there";
    co_await sender->stop();
  }());
}

TEST_F(MllpListeningSender, TriesAgainWhenNobodyComes) {
  listen({{"timeout", "20ms"}});
  run([this]() -> asio::awaitable<void> {
    const Answer answer = co_await deliver(message("1"));
    EXPECT_EQ(answer.kind, Kind::retry);
    EXPECT_EQ(answer.reason.code, "M208");
    co_await sender->stop();
  }());
}

TEST_F(MllpListeningSender, RefusesAddressesItDoesNotKnow) {
  listen({{"from", "10.9.8.0/24"}});
  run([this]() -> asio::awaitable<void> {
    auto stranger = co_await connect(io.get_executor(), address, nullptr, kNever);
    std::array<char, 16> buffer{};
    const auto count = co_await (*stranger)->read_some(asio::buffer(buffer), kNever);
    EXPECT_TRUE(!count || *count == 0);
    co_await sender->stop();
  }());
  EXPECT_EQ(report.lines_with("[M210]"), 1u);
  EXPECT_EQ(reached, 0);
}

TEST(MllpDestination, MustKnowWhoItsReceiverIsWhereOtherMachinesCanReachIt) {
  const auto checked = [](std::map<std::string, std::string> written) {
    const auto result = mllp::check_destination(values_of(mllp::sender_options(), written));
    return result ? std::string() : result.error().code;
  };
  EXPECT_EQ(checked({}), "M209");
  EXPECT_EQ(checked({{"address", "ehr:1"}, {"listen", "127.0.0.1:1"}}), "M209");
  EXPECT_EQ(checked({{"listen", "127.0.0.1:1"}}), "");
  EXPECT_EQ(checked({{"listen", "0.0.0.0:1"}}), "M209");
  EXPECT_EQ(checked({{"listen", "0.0.0.0:1"}, {"from", "10.0.0.0/8"}}), "");
  EXPECT_EQ(checked({{"listen", "127.0.0.1:1"}, {"from", "nonsense"}}), "M209");
}

}  // namespace

}  // namespace cannula::test
