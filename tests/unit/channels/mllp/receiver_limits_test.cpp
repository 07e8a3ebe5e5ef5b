// What a sender can occupy: sizes, connections, time, and what waits for the intake.
#include <sys/resource.h>

#include "channels/mllp/framing/deframer.h"
#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/mllp/receiver_fixture.h"

namespace cannula::test {
namespace {

using mllp::Deframer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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

// A byte now and then, each before frame_timeout has passed.
TEST_F(MllpReceiver, ClosesAConnectionWhoseMessageComesTooSlowly) {
  start({{"frame_timeout", "200ms"}});
  run([this]() -> asio::awaitable<void> {
    auto slow = co_await client();
    co_await slow->write("\x0B" + message("slow"));
    const std::string byte = "x";
    const std::array<asio::const_buffer, 1> piece{asio::buffer(byte)};
    const auto begun = std::chrono::steady_clock::now();
    while (report.lines_with("[M104]") == 0 && std::chrono::steady_clock::now() - begun < 10s) {
      co_await slow->stream().write(piece, kNever);
      co_await pause(50ms);
    }
    EXPECT_EQ(report.lines_with("too slowly"), 1u);
  }());
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(intake.arrivals[0].defect->code, "M104");
}

TEST_F(MllpReceiver, TakesAMessageThatTakesLongButComesSteadily) {
  start({{"frame_timeout", "200ms"}});
  run([this]() -> asio::awaitable<void> {
    auto steady = co_await client();
    co_await steady->write("\x0B" + message("steady"));
    for (int i = 0; i < 20; ++i) {
      co_await steady->write("NTE|1||" + std::string(100, 'x') + "\r");
      co_await pause(50ms);
    }
    co_await steady->write("\x1C\r");
    const auto answers = co_await steady->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA steady"));
  }());
}

TEST_F(MllpReceiver, GivesUpTheFrameBegunFirstWhenAllHoldTooMuch) {
  start({{"max_size", "1MB"}, {"max_memory", "1MB"}});
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> hoarders;
    for (int i = 0; i < 5; ++i) {
      hoarders.push_back(co_await client());
      const std::int64_t before = report.counted("bytes_received_total");
      co_await hoarders.back()->write("\x0B" + message("h" + std::to_string(i)) +
                                      std::string(300 * 1024, 'x'));
      co_await until([&] { return report.counted("bytes_received_total") - before > 300 * 1024; });
    }
    co_await until([this] { return intake.arrivals.size() == 2; });
    const bool closed = co_await hoarders.front()->closed();
    EXPECT_TRUE(closed);
    // What is small comes through, and so do those that may go on.
    auto sender = co_await client();
    co_await sender->write(framed(message("small")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA small"));
    co_await hoarders.back()->write("\r\x1C\r");
    const auto last = co_await hoarders.back()->answers(1);
    EXPECT_THAT(last, ElementsAre("AA h4"));
  }());
  ASSERT_EQ(intake.arrivals.size(), 4u);
  EXPECT_EQ(intake.arrivals[0].control_id, "h0");
  EXPECT_EQ(intake.arrivals[0].defect->code, "M104");
  EXPECT_EQ(intake.arrivals[1].control_id, "h1");
  EXPECT_EQ(report.lines_with("[M111]"), 1u) << "said once of an address";
  EXPECT_EQ(report.counted("frames_given_up_total"), 2);
}

// What was taken in is let go of: the limit is of what is there at a time.
TEST_F(MllpReceiver, TakesMoreThanItsMemoryOneAfterTheOther) {
  start({{"max_size", "1MB"}, {"max_memory", "1MB"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    for (int i = 0; i < 5; ++i) {
      const std::string id = std::to_string(i);
      co_await sender->write(framed(message(id, std::string(700 * 1024, 'x') + "\r")));
      const auto answers = co_await sender->answers(1);
      EXPECT_THAT(answers, ElementsAre("AA " + id));
    }
  }());
  EXPECT_EQ(report.lines_with("[M111]"), 0u);
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

// Else whoever opens as many as there may be shuts out everybody.
TEST_F(MllpReceiver, ClosesTheConnectionThatIsIdleLongestWhenMoreComeThanAllowed) {
  start({{"max_connections", "3"}});
  run([this]() -> asio::awaitable<void> {
    auto first = co_await client();
    auto second = co_await client();
    auto half_way = co_await client();
    co_await half_way->write("\x0B" + message("half way"));
    co_await until([this] { return report.counted("bytes_received_total") > 0; });
    co_await first->write(framed(message("1")));
    co_await first->answers(1);
    auto fourth = co_await client();
    const bool closed = co_await second->closed();
    EXPECT_TRUE(closed) << "it has said nothing";
    for (Client* one : {first.get(), fourth.get()}) {
      co_await one->write(framed(message("2")));
      const auto answers = co_await one->answers(1);
      EXPECT_THAT(answers, ElementsAre("AA 2"));
    }
    co_await half_way->write("\x1C\r");
    const auto answers = co_await half_way->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA half way"));
  }());
  EXPECT_EQ(report.lines_with("[M106]"), 1u);
  EXPECT_EQ(report.counted("connections_evicted_total"), 1);
}

TEST_F(MllpReceiver, RefusesMoreConnectionsThanAllowedWhenAllAreAtWorkAndTakesThemAgainLater) {
  start({{"max_connections", "2"}});
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  run([this]() -> asio::awaitable<void> {
    auto first = co_await client();
    auto second = co_await client();
    co_await first->write(framed(message("1")));
    co_await second->write(framed(message("2")));
    co_await until([this] { return intake.arrivals.size() == 2; });
    for (int i = 0; i < 3; ++i) {
      auto third = co_await client();
      const bool closed = co_await third->closed();
      EXPECT_TRUE(closed);
    }
    EXPECT_EQ(report.lines_with("[M106]"), 1u) << "said once, not for each";
    EXPECT_EQ(report.counted("connections_refused_total"), 3);
    intake.held->cancel();
    co_await first->answers(1);
    intake.held.reset();
    auto fourth = co_await client();
    co_await fourth->write(framed(message("4")));
    const auto answers = co_await fourth->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 4"));
  }());
}

// Frames that are begun and then left hold a place no longer than silence does.
TEST_F(MllpReceiver, ClosesAConnectionWhoseFrameDoesNotComeForOneThatWorks) {
  start({{"max_connections", "2"}});
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> left;
    for (int i = 0; i < 2; ++i) {
      left.push_back(co_await client());
      co_await left.back()->write("\x0BMSH");
    }
    co_await pause(2200ms);
    auto sender = co_await client();
    co_await sender->write(framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
  }());
}

TEST_F(MllpReceiver, ClosesWhoMayNotConnectBeforeItTakesAPlaceOrAHandshake) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const Values tls =
      values_of(tls_server_options(), {{"certificate", server.certificate}, {"key", server.key}});
  intake.filters_addresses = intake.refuse_peers = true;
  start({{"max_connections", "1"}}, &tls);
  run([this]() -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      auto stranger = co_await client();
      const bool closed = co_await stranger->closed();
      EXPECT_TRUE(closed) << "and not only when the handshake has not come";
    }
  }());
  EXPECT_EQ(intake.peers.size(), 3u) << "so that it is logged and audited";
  EXPECT_EQ(report.counted("connections_total"), 0);
  EXPECT_EQ(report.lines_with("[M106]"), 0u);
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
    const bool closed = co_await open.front()->closed();
    EXPECT_TRUE(closed) << "the one of this address that is idle longest";
    for (Client* one : {open.back().get(), third.get()}) {
      co_await one->write(framed(message("2")));
      const auto answers = co_await one->answers(1);
      EXPECT_THAT(answers, ElementsAre("AA 2"));
    }
  }());
  EXPECT_EQ(report.lines_with("[M108]"), 1u);
}

}  // namespace
}  // namespace cannula::test
