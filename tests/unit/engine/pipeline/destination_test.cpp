// When a destination is tried, and when it is given up: back-off, holds, windows, stat.
#include "engine/pipeline/destination.h"

#include <atomic>

#include "engine/pipeline/clock.h"
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using config::OrderConfig;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(EngineTest, ADestinationThatIsAwayIsProbedAndDrainsWhenItIsBack) {
  std::atomic<bool> away{true};
  std::atomic<int> attempts{0};
  wires_.answer = [&](const Parcel&, int) {
    ++attempts;
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto many_keys = site(kRelay);
  many_keys->channels["lab"].order.by = OrderConfig::By::none;
  auto engine = start(many_keys);
  std::vector<std::string> bodies;
  for (int i = 0; i < 200; ++i) bodies.push_back(oru(i, "A"));
  wires_.offer("lab", bodies);
  bool seen_away = false;
  for (int i = 0; i < 6000 && !seen_away; ++i) {
    engine->each_channel([&](const ChannelView& view) {
      seen_away = view.channel.destinations().at("ehr")->away();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(seen_away);
  EXPECT_LT(attempts, 200);
  away = false;
  wires_.delivered(200);
}

// A few messages that the other side never answers, and which have been tried for long.
TEST_F(EngineTest, WhatAloneGetsNoAnswerDoesNotKeepTheOthersFromADestination) {
  std::atomic<int> in_vain{0};
  wires_.answer = [&](const Parcel& parcel, int) {
    if (parcel.payload->find("||SILENT^") == std::string::npos)
      return Answer{Answer::Kind::delivered, {}, {}, {}};
    ++in_vain;
    return Answer{Answer::Kind::retry, nullptr, Error{"T1", "no answer"}, {}};
  };
  auto engine = start([&] {
    auto made = site(kRelay);
    config::ChannelConfig& lab = made->channels["lab"];
    lab.order.by = OrderConfig::By::none;
    lab.destinations[0].retry.away_after = 3;
    lab.destinations[0].retry.first = std::chrono::milliseconds(20);
    lab.destinations[0].retry.max = std::chrono::milliseconds(20);
    return made;
  }());
  std::vector<std::string> silent, others;
  for (int i = 0; i < 20; ++i) silent.push_back(oru(i, "SILENT"));
  for (int i = 0; i < 20; ++i) others.push_back(oru(1000 + i, "A"));
  wires_.offer("lab", silent);
  while (in_vain < 60) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const int before = in_vain;
  wires_.offer("lab", others);
  wires_.delivered(20);
  EXPECT_LT(in_vain - before, 20) << "each of them once would be a time-out each";
}

class JumpingClock : public WallClock {
 public:
  store::Timestamp now() const override { return now_microseconds() + shift_; }
  std::atomic<store::Timestamp> shift_{0};
};

TEST_F(EngineTest, WhatIsHeldStopsItsKeyUntilAPersonDecidesAlsoAfterARestart) {
  auto holding = site(kRelay);
  holding->channels["lab"].order.by = OrderConfig::By::paths;
  holding->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
  holding->channels["lab"].destinations[0].retry.on = {{"refused", config::RetryConfig::Act::hold}};
  std::atomic<bool> refuses{true};
  wires_.answer = [&](const Parcel& parcel, int) {
    const bool first = parcel.payload->find("|N1|") != std::string::npos;
    return Answer{first && refuses ? Answer::Kind::refused : Answer::Kind::delivered,
                  nullptr,
                  Error{"T1", "no"},
                  {}};
  };
  MessageId first, second;
  {
    auto engine = start(holding);
    const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A"), oru(3, "B")});
    first = receipts[0].id;
    second = receipts[1].id;
    wait_for(*engine, receipts[2].id, store::MessageState::done);
    const auto is_held = [&] {
      engine->store().catch_up();
      const auto deliveries = engine->store().deliveries(first);
      return !deliveries->empty() && (*deliveries)[0].state == store::DeliveryState::held;
    };
    for (int i = 0; i < 6000 && !is_held(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(is_held());
    EXPECT_EQ((*engine->store().message(first))->state, store::MessageState::queued);
  }
  refuses = false;
  auto engine = start(holding);
  wait_for(*engine, wires_.offer("lab", {oru(4, "C")})[0].id, store::MessageState::done);
  EXPECT_EQ((*engine->store().message(second))->state, store::MessageState::queued);
  ASSERT_TRUE(engine->resend(first, 1, "ina", "it was put right"));
  wait_for(*engine, second, store::MessageState::done);
  const auto sent = wires_.delivered(4);
  EXPECT_EQ(sent[2].key, first.text() + "-ehr-1");
  EXPECT_EQ(sent[3].key, second.text() + "-ehr-1");
}

// What a transport says of a login page: our words for status and log, the page's with the message.
TEST_F(EngineTest, WhyADestinationIsAwayIsSaidWithoutTheOtherSidesWords) {
  wires_.answer = [&](const Parcel&, int) {
    Answer answer;
    answer.reason = Error("T359", "what came is no FHIR resource", "see what stands at `url`");
    answer.response = make_bytes("<html>Erin Example</html>");
    answer.own_words = true;
    answer.quoted = "it begins: <html>Erin Example";
    return answer;
  };
  auto trying = site(kRelay);
  trying->channels["lab"].destinations[0].retry.away_after = 2;
  const auto engine = start(trying);
  const MessageId id = wires_.offer("lab", {oru(1, "A")})[0].id;
  const auto standing = [&] {
    Standing now;
    engine->each_channel(
        [&](const ChannelView& view) { now = view.channel.destinations().at("ehr")->standing(); });
    return now;
  };
  for (int i = 0; i < 6000 && standing().breaker == Breaker::State::closed; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_NE(standing().breaker, Breaker::State::closed);
  EXPECT_THAT(standing().last_failure, testing::HasSubstr("no FHIR resource"));
  EXPECT_THAT(standing().last_failure, testing::Not(testing::HasSubstr("Erin")));
  // The destination is known to be away before the attempt that showed it is on disk.
  std::optional<store::Attempt> attempt;
  for (int i = 0; i < 6000 && !attempt; ++i) {
    engine->store().catch_up();
    const auto trail = engine->store().trail(id);
    ASSERT_TRUE(trail);
    const auto* last = std::get_if<store::Attempt>(&trail->back());
    if (last != nullptr) attempt = *last;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->state, store::DeliveryState::retrying);
  EXPECT_THAT(attempt->reason, testing::HasSubstr("it begins: <html>Erin Example"));
}

// A server that says 403 of single messages, by its configuration: the others go on.
TEST_F(EngineTest, AnAnswerThatEndsADeliveryByConfigurationDoesNotMakeItsDestinationAway) {
  wires_.answer = [&](const Parcel&, int) {
    Answer answer;
    answer.reason = Error("T360", "the server answered 403 Forbidden");
    answer.response = make_bytes("no");
    answer.attributes = R"({"status":403})";
    return answer;
  };
  auto particular = site(kRelay);
  particular->channels["lab"].destinations[0].retry.away_after = 2;
  particular->channels["lab"].destinations[0].retry.on = {{"403", config::RetryConfig::Act::dead}};
  const auto engine = start(particular);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "B"), oru(3, "C"), oru(4, "D")});
  for (const Receipt& receipt : receipts) wait_for(*engine, receipt.id, store::MessageState::dead);
  engine->each_channel([&](const ChannelView& view) {
    EXPECT_EQ(view.channel.destinations().at("ehr")->standing().breaker, Breaker::State::closed);
  });
}

TEST_F(EngineTest, NeitherAJumpOfTheWallClockNorALongQueueMakesADeliveryDead) {
  JumpingClock clock;
  auto impatient = site(kRelay);
  impatient->channels["lab"].destinations[0].retry = {
      std::chrono::milliseconds(10), std::chrono::milliseconds(50), std::chrono::hours(1)};
  std::atomic<int> attempts{0};
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    ++attempts;
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T103", "away"}, {}};
  };
  Engine engine(impatient, transports_, nullptr, clock);
  ASSERT_THAT(engine.start(), IsEmpty());
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  const auto wait_for_attempts = [&](int more) {
    for (int i = 0; i < 6000 && attempts < more; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_GE(attempts, more);
  };
  wait_for_attempts(2);
  clock.shift_ = 7LL * 86'400'000'000;  // a week ahead
  wait_for_attempts(attempts + 3);
  clock.shift_ = -7LL * 86'400'000'000;  // and a week back
  wait_for_attempts(attempts + 3);
  away = false;
  wait_for(engine, receipts[1].id, store::MessageState::done);
  EXPECT_EQ(wires_.delivered(2).size(), 2u);
}

TEST_F(EngineTest, ADeliveryIsGivenUpByTheTimeItWasTriedNotByTheTimeItQueued) {
  auto impatient = site(kRelay);
  impatient->channels["lab"].destinations[0].retry = {
      std::chrono::milliseconds(20), std::chrono::milliseconds(40), std::chrono::milliseconds(150)};
  std::atomic<int> attempts_of_second{0};
  wires_.answer = [&](const Parcel& parcel, int) {
    if (parcel.payload->find("|N2|") != std::string::npos) ++attempts_of_second;
    return Answer{Answer::Kind::retry, nullptr, Error{"T103", "away"}, {}};
  };
  auto engine = start(impatient);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  EXPECT_EQ(wait_for(*engine, receipts[1].id, store::MessageState::dead).code, "P302");
  EXPECT_GT(attempts_of_second, 1) << "it waited behind the first for longer than give_up_after";
}

TEST_F(EngineTest, OutsideItsWindowOnlyStatGoesWithWhatStandsBeforeItInItsKey) {
  JumpingClock clock;
  auto nightly = site(R"(function main(msg)
    send('ehr', msg, { priority = msg["MSH-10"] == "N3" and "stat" or nil })
  end)");
  nightly->channels["lab"].order.by = OrderConfig::By::paths;
  nightly->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
  const std::int64_t day = 86'400'000'000;
  clock.shift_ = day - now_microseconds() % day + 12 * 3'600'000'000;  // noon, UTC
  nightly->channels["lab"].destinations[0].window =
      *config::DeliveryWindow::parse({"22:00-05:00"}, TimeZone::utc());
  Engine engine(nightly, transports_, nullptr, clock);
  ASSERT_THAT(engine.start(), IsEmpty());
  wires_.offer("lab", {oru(1, "A"), oru(2, "B"), oru(3, "A"), oru(4, "C")});
  const auto sent = wires_.delivered(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_EQ(wires_.delivered_count(), 2u);
  EXPECT_THAT(sent[0].payload, HasSubstr("|N1|"));
  EXPECT_THAT(sent[1].payload, HasSubstr("|N3|"));
  engine.each_channel([](const ChannelView& view) {
    EXPECT_TRUE(view.channel.destinations().at("ehr")->standing().window_closed);
  });
  clock.shift_ += 11 * 3'600'000'000;  // 23:00; what arrives makes it look
  wires_.offer("lab", {oru(5, "D")});
  wires_.delivered(5);
}

TEST_F(EngineTest, WhatIsStatIsFetchedFromBehindALongQueueOnDisk) {
  auto many = site(R"(function main(msg)
    local last = msg["MSH-10"] == "N9999"
    send('ehr', msg, { priority = last and "stat" or nil })
  end)");
  many->channels["lab"].order.by = OrderConfig::By::paths;
  many->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
  std::atomic<bool> away{true};
  std::atomic<bool> urgent_is_there{false};
  wires_.answer = [&](const Parcel& parcel, int) {
    if (!away && parcel.payload->find("|N9999|") != std::string::npos) urgent_is_there = true;
    // At the pace of a real other side: a look at the disk takes longer than many an answer here.
    if (!away && !urgent_is_there) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T103", "away"}, {}};
  };
  auto engine = start(many);
  std::vector<std::string> bodies;
  for (int i = 0; i < 6000; ++i) bodies.push_back(oru(i, "P" + std::to_string(i)));
  wires_.offer("lab", bodies);
  wires_.offer("lab", {oru(9998, "urgent"), oru(9999, "urgent")});
  for (int i = 0; i < 6000; ++i) {
    engine->store().catch_up();
    std::uint64_t queued = 0;
    for (const auto& one : *engine->store().counts())
      if (one.destination == "ehr") queued += one.count;
    if (queued == 6002) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  away = false;
  const auto sent = wires_.delivered(6002);
  const auto place = [&](const std::string& number) {
    return std::find_if(sent.begin(), sent.end(),
                        [&](const Sent& one) {
                          return one.payload.find("|" + number + "|") != std::string::npos;
                        }) -
           sent.begin();
  };
  EXPECT_LT(place("N9998"), place("N9999"));
  EXPECT_LT(place("N9999"), 3000);
  EXPECT_EQ(sent.size(), 6002u);
}

}  // namespace
}  // namespace cannula::pipeline
