#include "engine/pipeline/engine.h"

#include <fstream>

#include <gmock/gmock.h>

#include "engine/config/resource_files.h"
#include "engine/pipeline/clock.h"
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using config::OrderConfig;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(EngineTest, AMessageGoesFromSourceToDestinationByteForByte) {
  auto engine = start(site(kRelay));
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  ASSERT_EQ(receipts.size(), 1u);
  EXPECT_EQ(receipts[0].disposition, Disposition::accepted);
  const auto sent = wires_.delivered(1);
  EXPECT_EQ(sent[0].payload, oru(1, "A"));
  EXPECT_EQ(sent[0].key, receipts[0].id.text() + "-ehr-1");
  wait_for(*engine, receipts[0].id, store::MessageState::done);
}

TEST_F(EngineTest, TheScriptDecidesWhatBecomesOfAMessage) {
  auto engine = start(site(R"(
    function main(msg)
      local word = msg["MSH-10"]
      if word == "N1" then return skip("not wanted") end
      if word == "N2" then return park("a person must see it") end
      if word == "N3" then return reject("not for us") end
      if word == "N4" then error("a mistake") end
    end)"));
  const auto receipts =
      wires_.offer("lab", {oru(1, "A"), oru(2, "A"), oru(3, "A"), oru(4, "A"), oru(5, "A")});
  EXPECT_EQ(wait_for(*engine, receipts[0].id, store::MessageState::filtered).reason, "not wanted");
  EXPECT_EQ(wait_for(*engine, receipts[1].id, store::MessageState::parked).reason,
            "a person must see it");
  EXPECT_EQ(wait_for(*engine, receipts[2].id, store::MessageState::rejected).reason, "not for us");
  EXPECT_THAT(wait_for(*engine, receipts[3].id, store::MessageState::dead).reason,
              HasSubstr("a mistake"));
  wait_for(*engine, receipts[4].id, store::MessageState::done);
}

TEST_F(EngineTest, EachKeyKeepsItsOrderWhateverFails) {
  auto with_keys = site(kRelay);
  with_keys->channels["lab"].order.by = OrderConfig::By::paths;
  with_keys->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
  with_keys->engine.workers = 4;
  wires_.answer = [](const Parcel& parcel, int attempt) {
    const bool fails = attempt == 1 && std::hash<std::string>{}(parcel.key) % 3 == 0;
    return Answer{
        fails ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto engine = start(with_keys);
  constexpr int kCount = 600;
  for (int i = 0; i < kCount; i += 10) {
    std::vector<std::string> some;
    for (int k = i; k < i + 10; ++k) some.push_back(oru(1000 + k, "P" + std::to_string(k % 7)));
    wires_.offer("lab", std::move(some));
  }
  std::map<std::string, std::string> last;
  for (const Sent& sent : wires_.delivered(kCount)) {
    const auto message = hl7v2::Message::parse(make_bytes(sent.payload));
    const std::string patient = *message->get(*hl7v2::Path::parse("PID-3.1"));
    const std::string number = *message->get(*hl7v2::Path::parse("MSH-10"));
    EXPECT_LT(last[patient], number);
    last[patient] = number;
  }
}

TEST_F(EngineTest, ARestartContinuesWhereItStopped) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  std::vector<std::string> bodies;
  for (int i = 0; i < 50; ++i) bodies.push_back(oru(100 + i, "A"));
  {
    auto engine = start(site(kRelay));
    wires_.offer("lab", bodies);
    engine->stop(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(wires_.delivered_count(), 0u);
  away = false;
  auto engine = start(site(kRelay));
  const auto sent = wires_.delivered(50);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(sent[i].payload, bodies[i]);
}

// More than any window holds: what has no room in memory waits on disk and keeps its order.
TEST_F(EngineTest, ABacklogBeyondTheWindowIsReadBackInOrder) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto engine = start(site(kRelay));
  constexpr int kCount = 10'000;
  for (int i = 0; i < kCount; i += 500) {
    std::vector<std::string> some;
    for (int k = i; k < i + 500; ++k) some.push_back(oru(100'000 + k, "A"));
    wires_.offer("lab", std::move(some));
  }
  engine->each_channel([](const ChannelView& view) {
    EXPECT_LE(view.channel.destinations().at("ehr")->in_memory(), 4096u + 512u);
  });
  away = false;
  const auto sent = wires_.delivered(kCount);
  for (int i = 0; i < kCount; ++i) {
    ASSERT_THAT(sent[i].payload, HasSubstr("|N" + std::to_string(100'000 + i) + "|")) << i;
  }
}

TEST_F(EngineTest, ARefusedDeliveryIsDeadAndCanBeSentAgainWithTheSameKey) {
  std::atomic<bool> refuse{true};
  std::vector<std::string> keys;
  wires_.answer = [&](const Parcel& parcel, int) {
    keys.push_back(parcel.key);
    return Answer{refuse ? Answer::Kind::refused : Answer::Kind::delivered,
                  make_bytes("MSA|AR"),
                  Error{"M1", "it said no"},
                  {}};
  };
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  EXPECT_EQ(wait_for(*engine, id, store::MessageState::dead).reason, "ehr: it said no");
  refuse = false;
  ASSERT_TRUE(engine->resend(id, 1, "tester", "mended"));
  wires_.delivered(1);
  wait_for(*engine, id, store::MessageState::done);
  EXPECT_THAT(keys, ElementsAre(id.text() + "-ehr-1", id.text() + "-ehr-1"));
}

TEST_F(EngineTest, AParkedMessageRunsThroughItsScriptAgainWhenResent) {
  auto engine = start(site(R"(
    function main(msg)
      state.seen = (state.seen or 0) + 1
      if state.seen == 1 then return park("the first time") end
      send('ehr', msg)
    end)"));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::parked);
  ASSERT_TRUE(engine->resend(id, 0, "tester", "again"));
  // The first run parked and wrote no state, so the message parks again: state is kept only when a
  // run finishes.
  wait_for(*engine, id, store::MessageState::parked);
  EXPECT_EQ(wires_.delivered_count(), 0u);
}

TEST_F(EngineTest, WithHoldKeyLaterOnesOfTheKeyWaitForAPerson) {
  auto held = site(R"(
    function main(msg)
      if msg["MSH-10"] == "N1" then return park("look at it") end
      send('ehr', msg)
    end)");
  held->channels["lab"].order.by = OrderConfig::By::paths;
  held->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
  held->channels["lab"].order.on_hold = OrderConfig::OnHold::hold_key;
  auto engine = start(held);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A"), oru(3, "B")});
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N3|"));
  wait_for(*engine, receipts[0].id, store::MessageState::parked);

  engine->stop();  // the hold outlives a restart
  engine = start(held);
  wires_.offer("lab", {oru(4, "B")});
  EXPECT_THAT(wires_.delivered(2)[1].payload, HasSubstr("|N4|"));
  ASSERT_TRUE(engine->discard(receipts[0].id, 0, "tester", "not needed"));
  EXPECT_THAT(wires_.delivered(3)[2].payload, HasSubstr("|N2|"));
}

TEST_F(EngineTest, ADeliveryThatIsNotThereIsNotSentAgainAndChangesNothing) {
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::done);
  const auto refused = engine->resend(id, 7, "tester", "");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("it has 1 to ehr"));
  EXPECT_FALSE(engine->discard(id, 7, "tester", ""));
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(EngineTest, WhatWasDeliveredCannotBeDiscarded) {
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::done);
  for (const std::uint32_t ordinal : {0U, 1U}) {
    const auto refused = engine->discard(id, ordinal, "tester", "");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "P311");
  }
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(EngineTest, AMessageSentAgainTakesThePlaceOfItsDeadDelivery) {
  std::atomic<bool> refuse{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        refuse ? Answer::Kind::refused : Answer::Kind::delivered, nullptr, Error{"M1", "no"}, {}};
  };
  auto held = site(kRelay);
  held->channels["lab"].order.on_hold = OrderConfig::OnHold::hold_key;
  auto engine = start(held);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  wait_for(*engine, receipts[0].id, store::MessageState::dead);
  refuse = false;
  ASSERT_TRUE(engine->resend(receipts[0].id, 0, "tester", "mended"));
  const auto sent = wires_.delivered(2);  // the later one of the key waited for it
  EXPECT_THAT(sent[0].payload, HasSubstr("|N1|"));
  EXPECT_THAT(sent[1].payload, HasSubstr("|N2|"));
  wait_for(*engine, receipts[0].id, store::MessageState::done);
}

TEST_F(EngineTest, ADeadDeliverySentAgainLetsItsKeyGoOn) {
  std::atomic<bool> refuse{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        refuse ? Answer::Kind::refused : Answer::Kind::delivered, nullptr, Error{"M1", "no"}, {}};
  };
  auto held = site(kRelay);
  held->channels["lab"].order.on_hold = OrderConfig::OnHold::hold_key;
  auto engine = start(held);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  wait_for(*engine, receipts[0].id, store::MessageState::dead);
  engine->stop();
  refuse = false;
  engine = start(held);
  ASSERT_TRUE(engine->resend(receipts[0].id, 1, "tester", "mended"));
  EXPECT_THAT(wires_.delivered(2)[1].payload, HasSubstr("|N2|"));
}

TEST_F(EngineTest, WhatWaitsForItsNextAttemptIsTriedAtOnceAndNotTwice) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto patient = site(kRelay);
  patient->channels["lab"].destinations[0].retry.first = std::chrono::hours(1);
  patient->channels["lab"].destinations[0].retry.max = std::chrono::hours(1);
  auto engine = start(patient);
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  for (int i = 0; i < 6000; ++i) {
    const auto rows = engine->store().deliveries(id);
    if (rows && rows->size() == 1 && rows->front().state == store::DeliveryState::retrying) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    engine->store().catch_up();
  }
  away = false;
  EXPECT_FALSE(engine->resend(id, 0, "tester", ""));  // it would go twice
  ASSERT_TRUE(engine->resend(id, 1, "tester", ""));
  wires_.delivered(1);
  wait_for(*engine, id, store::MessageState::done);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(EngineTest, WhatIsDiscardedWhileItIsTriedIsNotTriedAgain) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto engine = start(site(kRelay));
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  engine->store().catch_up();
  ASSERT_TRUE(engine->discard(receipts[0].id, 0, "tester", "not needed"));
  wait_for(*engine, receipts[0].id, store::MessageState::discarded);
  away = false;
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N2|"));
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(EngineTest, AResendDuringABacklogGoesOnce) {
  std::atomic<Answer::Kind> kind{Answer::Kind::refused};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{kind, nullptr, Error{"T1", "not now"}, {}};
  };
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::dead);
  kind = Answer::Kind::retry;
  for (int i = 0; i < 10; ++i) {
    std::vector<std::string> some;
    for (int k = 0; k < 500; ++k) some.push_back(oru(100'000 + i * 500 + k, "A"));
    wires_.offer("lab", std::move(some));
  }
  ASSERT_TRUE(engine->resend(id, 1, "tester", ""));
  kind = Answer::Kind::delivered;
  const auto sent = wires_.delivered(5001);
  std::set<std::string> keys;
  for (const Sent& one : sent) keys.insert(one.key);
  EXPECT_EQ(keys.size(), 5001u);
}

TEST_F(EngineTest, TheAnswerOfADestinationReachesTheScript) {
  wires_.answer = [](const Parcel& parcel, int) {
    const bool first = parcel.key.ends_with("-ehr-1");
    return Answer{Answer::Kind::delivered, make_bytes(first ? "created 4711" : "fine"), {}, {}};
  };
  auto engine = start(site(R"(
    function main(msg) send('ehr', msg) end
    function on_response(msg, destination, response)
      if response.text == "created 4711" then send(destination, "next to " .. response.text) end
    end)"));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  const auto sent = wires_.delivered(2);
  EXPECT_EQ(sent[1].payload, "next to created 4711");
  EXPECT_EQ(sent[1].key, id.text() + "-ehr-2");
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(EngineTest, AckProcessedTellsTheSenderWhatTheScriptDecided) {
  auto processed = site(R"(
    function main(msg)
      if msg["MSH-10"] == "N2" then return reject("unknown patient") end
      send('ehr', msg)
    end)");
  processed->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(processed);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::accepted);
  EXPECT_EQ(receipts[1].disposition, Disposition::refused);
  EXPECT_THAT(receipts[1].reason.message, HasSubstr("unknown patient"));
}

TEST_F(EngineTest, ASenderIsNotToldWhatAFailingScriptSays) {
  auto failing = site("function main(msg) error('Muster, Anna has no row') end");
  failing->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(failing);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::refused);
  EXPECT_EQ(receipts[0].reason.code, "L200");
  EXPECT_THAT(receipts[0].reason.message, HasSubstr("is on record"));
  EXPECT_THAT(receipts[0].reason.message, Not(HasSubstr("Muster")));
  EXPECT_THAT(receipts[0].reason.message, Not(HasSubstr("main.lua")));
}

TEST_F(EngineTest, AckDeliveredWaitsForTheDestination) {
  auto waits = site(kRelay);
  waits->channels["lab"].ack = {config::AckConfig::When::delivered, "ehr"};
  wires_.answer = [](const Parcel&, int attempt) {
    return Answer{attempt < 3 ? Answer::Kind::retry : Answer::Kind::delivered,
                  nullptr,
                  Error{"T1", "away"},
                  {}};
  };
  auto engine = start(waits);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::accepted);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(EngineTest, APartnerSendsOnlyWhatItMay) {
  auto with_partner = site(kRelay);
  config::PartnerConfig partner;
  partner.name = "clinic";
  partner.may = {"ADT^*"};
  with_partner->partners["clinic"] = partner;
  with_partner->channels["lab"].partner = "clinic";
  auto engine = start(with_partner);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::refused);
  const auto row = wait_for(*engine, receipts[0].id, store::MessageState::rejected);
  EXPECT_THAT(row.reason, HasSubstr("ORU^R01"));
}

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
    const auto deliveries = engine->store().deliveries(first);
    EXPECT_EQ((*deliveries)[0].state, store::DeliveryState::held);
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

TEST_F(EngineTest, WhatIsPausedStaysPausedOverARestartAndIsOnRecord) {
  {
    auto engine = start(site(kRelay));
    ASSERT_TRUE(engine->pause("lab", "to:ehr", true, "ina", "upgrade"));
    EXPECT_EQ(engine->pause("lab", "to:nobody", true, "ina", "x").error().code, "P317");
    EXPECT_EQ(engine->pause("nobody", "work", true, "ina", "x").error().code, "P317");
    EXPECT_EQ(wires_.offer("lab", {oru(1, "A")})[0].disposition, Disposition::accepted);
  }
  auto engine = start(site(kRelay));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(wires_.delivered_count(), 0u);
  ASSERT_THAT(engine->acts().paused(), testing::SizeIs(1));
  EXPECT_EQ(engine->acts().paused()[0].actor, "ina");
  ASSERT_TRUE(engine->pause("lab", "to:ehr", false, "ina", "upgraded"));
  wires_.delivered(1);
  EXPECT_EQ(engine->acts().recent(10)[0].what, "resume");
}

TEST_F(EngineTest, WhileIntakeIsPausedSendersAreToldToTryAgain) {
  auto engine = start(site(kRelay));
  ASSERT_TRUE(engine->pause("lab", "intake", true, "ina", "stocktaking"));
  const auto receipt = wires_.offer("lab", {oru(1, "A")})[0];
  EXPECT_EQ(receipt.disposition, Disposition::failed);
  EXPECT_EQ(receipt.reason.code, "P318");
  ASSERT_TRUE(engine->pause("lab", "intake", false, "ina", "done"));
  EXPECT_EQ(wires_.offer("lab", {oru(1, "A")})[0].disposition, Disposition::accepted);
  wires_.delivered(1);
}

TEST_F(EngineTest, WithOnErrorStopNothingPassesAMessageWhoseScriptFailed) {
  auto strict = site(R"(function main(msg)
    if msg["MSH-10"] == "N2" then error("a mistake") end
    send('ehr', msg)
  end)");
  strict->channels["lab"].on_error = config::ChannelConfig::OnError::stop;
  auto engine = start(strict);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A"), oru(3, "A")});
  wait_for(*engine, receipts[1].id, store::MessageState::dead);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ((*engine->store().message(receipts[2].id))->state, store::MessageState::accepted);
  ASSERT_TRUE(engine->pause("lab", "work", false, "ina", "looked at"));
  wait_for(*engine, receipts[2].id, store::MessageState::done);
}

TEST_F(EngineTest, WithTheDiskNearlyFullNothingNewIsTakenAndDeliveriesGoOn) {
  auto full = site(kRelay);
  full->store.keep_free = std::uint64_t{1} << 60;
  auto engine = start(full);
  EXPECT_TRUE(engine->disk_low());
  const auto receipt = wires_.offer("lab", {oru(1, "A")})[0];
  EXPECT_EQ(receipt.disposition, Disposition::failed);
  EXPECT_EQ(receipt.reason.code, "P314");
}

// -- A secret that is not there

std::optional<Error> why_not_open(const Engine& engine, const std::string& name) {
  std::optional<Error> why;
  engine.each_channel([&](const ChannelView& view) {
    if (view.channel.name() == name) why = view.not_open;
  });
  return why;
}

TEST_F(EngineTest, ADestinationWithoutItsSecretWaitsAloneAndGoesOnWhenItIsThere) {
  auto site = this->site("function main(msg) send('web', msg) send('ehr', msg) end");
  config::DestinationConfig web = site->channels["lab"].destinations[0];
  web.name = "web";
  web.values.set("listen", std::string("web"));
  site->channels["lab"].destinations.push_back(web);
  wires_.lacks_secret = true;
  const auto engine = start(site);
  const auto id = wires_.offer("lab", {oru(1, "P")})[0].id;
  EXPECT_THAT(wires_.delivered(1)[0].key, testing::HasSubstr("-ehr-"));
  engine->each_channel([&](const ChannelView& view) {
    const Standing standing = view.channel.destinations().at("web")->standing();
    EXPECT_NE(standing.breaker, Breaker::State::closed);
    EXPECT_THAT(standing.last_failure, testing::HasSubstr("P121"));
    EXPECT_GT(standing.failing_since, 0);
    EXPECT_EQ(view.channel.destinations().at("ehr")->standing().last_failure, "");
  });
  EXPECT_TRUE(engine->ready());

  wires_.lacks_secret = false;
  EXPECT_THAT(wires_.delivered(2)[1].key, testing::HasSubstr("-web-"));
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(EngineTest, ASourceWithoutItsSecretWaitsAloneAndOpensWhenItIsThere) {
  auto site = this->site(kRelay);
  site->channels["adt"] = channel("adt", kRelay);
  wires_.lacks_secret = true;
  wires_.secret_to_listen_on = "adt";
  const auto engine = start(site);
  ASSERT_TRUE(why_not_open(*engine, "adt"));
  EXPECT_EQ(why_not_open(*engine, "adt")->code, "P121");
  EXPECT_FALSE(why_not_open(*engine, "lab"));
  wires_.offer("lab", {oru(1, "P")});
  wires_.delivered(1);

  // A reload of something else is no matter of the secret; one of that channel is.
  auto next = std::make_shared<config::Site>(*site);
  next->channels["lab"].script =
      std::make_shared<const Source>("main.lua", "function main(msg) send('ehr', 'new') end");
  EXPECT_EQ(render(engine->reload(next)), "");
  auto changed = std::make_shared<config::Site>(*next);
  changed->channels["adt"].source_written = "changed";
  EXPECT_THAT(render(engine->reload(changed)), testing::HasSubstr("P121"));

  wires_.lacks_secret = false;
  for (int i = 0; i < 6000 && why_not_open(*engine, "adt"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  wires_.offer("adt", {oru(2, "P")});
  wires_.delivered(2);
}

TEST_F(EngineTest, AReloadThatFailedIsRememberedUntilOneSucceeds) {
  const auto engine = start(site(kRelay));
  EXPECT_FALSE(engine->failed_reload());
  engine->note_reload({{Severity::error, "P307", "it cannot", nullptr, std::nullopt, "", ""}});
  ASSERT_TRUE(engine->failed_reload());
  EXPECT_EQ(engine->failed_reload()->findings[0].code, "P307");
  EXPECT_GT(engine->failed_reload()->at, 0);
  engine->note_reload({});
  EXPECT_FALSE(engine->failed_reload());
}

TEST_F(EngineTest, AReloadThatWouldLeaveMessagesBehindIsRefusedAndARenameTakesThemOver) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T103", "away"}, {}};
  };
  auto engine = start(site(kRelay));
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "B")});
  for (int i = 0; i < 6000; ++i) {
    engine->store().catch_up();
    if ((*engine->store().message(receipts[1].id))->state == store::MessageState::queued) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  auto renamed = std::make_shared<config::Site>(*site(kRelay));
  renamed->channels.clear();
  renamed->channels["laboratory"] =
      channel("laboratory", "function main(msg) send('his', msg) end");
  renamed->channels["laboratory"].destinations[0].name = "his";
  const auto findings = engine->reload(renamed);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].code, "P315");
  EXPECT_THAT(findings[0].hint, HasSubstr("renamed_from"));

  auto taken_over = std::make_shared<config::Site>(*renamed);
  taken_over->channels["laboratory"].renamed_from = {"lab"};
  taken_over->channels["laboratory"].destinations[0].renamed_from = {"ehr"};
  EXPECT_THAT(engine->reload(taken_over), IsEmpty());
  away = false;
  for (const Receipt& receipt : receipts) wait_for(*engine, receipt.id, store::MessageState::done);
  EXPECT_EQ(wires_.delivered(2)[0].key, receipts[0].id.text() + "-ehr-1") << "keys are stable";
}

TEST_F(EngineTest, AReloadChangesTheScriptAndKeepsTheChannel) {
  auto engine = start(site(kRelay));
  wires_.offer("lab", {oru(1, "A")});
  wires_.delivered(1);
  EXPECT_THAT(engine->reload(site("function main(msg) msg['MSH-4'] = 'NEW'; send('ehr', msg) end")),
              IsEmpty());
  wires_.offer("lab", {oru(2, "A")});
  EXPECT_THAT(wires_.delivered(2)[1].payload, HasSubstr("|LAB|NEW|"));
}

TEST_F(EngineTest, AReloadThatCannotWorkChangesNothing) {
  auto engine = start(site(kRelay));
  EXPECT_THAT(render(engine->reload(site("function main(msg) send('ehr', msg)"))),
              HasSubstr("main.lua"));
  auto with_another = site(kRelay);
  with_another->channels["adt"] = channel("adt", kRelay);
  wires_.refuse_to_listen = true;
  EXPECT_THAT(render(engine->reload(with_another)), HasSubstr("refuses to listen"));
  wires_.refuse_to_listen = false;
  wires_.offer("lab", {oru(1, "A")});
  wires_.delivered(1);
}

// Between the closing of the old source and the failure of another one, the new source may have
// taken messages in.
TEST_F(EngineTest, WhatAFailedReloadTookInIsNotForgotten) {
  auto two = site(kRelay);
  two->channels["zzz"] = channel("zzz", kRelay);
  auto engine = start(two);
  auto changed = site(kRelay);
  changed->channels["lab"].source_written = "another";
  changed->channels["zzz"] = channel("zzz", kRelay);
  changed->channels["zzz"].source_written = "another";
  wires_.refuse_to_listen_on = "zzz";
  wires_.when_listening = [&](const std::string& name) {
    if (name != "lab") return;
    wires_.when_listening = nullptr;
    wires_.offer_later("lab", oru(7, "A"));
  };
  EXPECT_FALSE(engine->reload(changed).empty());
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N7|"));
}

TEST_F(EngineTest, AReloadThatChangesAChannelLosesAndDoublesNothing) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto engine = start(site(kRelay));
  std::vector<std::string> bodies;
  for (int i = 0; i < 100; ++i) bodies.push_back(oru(i, "A"));
  wires_.offer("lab", bodies);
  auto changed = site(kRelay);
  changed->channels["lab"].source_written = "another";
  away = false;
  EXPECT_THAT(engine->reload(changed), IsEmpty());
  wires_.offer("lab", {oru(100, "A")});
  const auto sent = wires_.delivered(101);
  std::set<std::string> keys;
  for (const Sent& one : sent) keys.insert(one.key);
  EXPECT_EQ(keys.size(), 101u);
  EXPECT_THAT(sent.back().payload, HasSubstr("|N100|"));
}

TEST_F(EngineTest, AScriptThatRunsIntoItsLimitsPausesItsChannelAndNoOther) {
  auto two = site("function main(msg) while true do end end");
  two->channels["lab"].script_time = std::chrono::milliseconds(20);
  two->channels["adt"] = channel("adt", kRelay);
  auto engine = start(two);
  std::vector<std::string> bodies;
  for (int i = 0; i < 10; ++i) bodies.push_back(oru(i, "A"));
  const auto receipts = wires_.offer("lab", bodies);
  wires_.offer("adt", bodies);
  wires_.delivered(10);
  wait_for(*engine, receipts[4].id, store::MessageState::dead);
  bool paused = false;
  for (int i = 0; i < 6000 && !paused; ++i) {
    engine->each_channel([&](const ChannelView& view) {
      if (view.channel.name() == "lab") paused = view.channel.paused();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(paused);
  EXPECT_EQ(wires_.offer("lab", {oru(11, "A")})[0].disposition, Disposition::accepted);
}

// -- Tables

class TableTest : public EngineTest {
 protected:
  void save_table(const std::string& csv) {
    std::filesystem::create_directories(folder_.path() / "tables");
    std::ofstream(folder_.path() / "tables" / "codes.csv.new") << csv;
    std::filesystem::rename(folder_.path() / "tables" / "codes.csv.new",
                            folder_.path() / "tables" / "codes.csv");
  }
  std::shared_ptr<config::Site> mapped_site() {
    auto mapped = site(R"(
      function main(msg)
        msg["MSH-4"] = lookup.must("codes", msg["PID-3.1"]).name
        send("ehr", msg)
      end)");
    mapped->resources = config::load_resources(folder_.path()).resources;
    return mapped;
  }
};

TEST_F(TableTest, AMessageWithoutItsRowWaitsAndGoesWhenTheRowIsSaved) {
  save_table("code,name\nA,ALPHA\n");
  auto engine = start(mapped_site());
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "B")});
  wait_for(*engine, receipts[0].id, store::MessageState::done);
  wait_for(*engine, receipts[1].id, store::MessageState::parked);
  EXPECT_EQ(engine->store().unmapped("codes", 10)->at(0).key, "B");
  EXPECT_EQ(engine->store().unmapped("codes", 10)->at(0).waiting, 1u);

  save_table("code,name\nA,ALPHA\nB,BETA\n");
  wait_for(*engine, receipts[1].id, store::MessageState::done);
  EXPECT_THAT(wires_.delivered(2)[1].payload, HasSubstr("|BETA|"));
  EXPECT_THAT(*engine->store().awaiting({}, 10), IsEmpty());
}

TEST_F(TableTest, ARowSavedWhileTheEngineWasDownReleasesAtStart) {
  save_table("code,name\n");
  MessageId id;
  {
    auto engine = start(mapped_site());
    id = wires_.offer("lab", {oru(1, "B")})[0].id;
    wait_for(*engine, id, store::MessageState::parked);
    engine->stop();
  }
  save_table("code,name\nB,BETA\n");
  auto engine = start(mapped_site());
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(TableTest, ATableWithAMistakeLeavesTheLastGoodOneInUse) {
  save_table("code,name\nA,ALPHA\n");
  auto engine = start(mapped_site());
  const auto before = engine->resources();
  save_table("code,name\nA,ALPHA\nA,ALPHA AGAIN\nB,BETA\n");
  for (int i = 0; i < 1000 && engine->resources() == before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(engine->resources()->tables.at("codes"), before->tables.at("codes"));
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  wait_for(*engine, receipts[0].id, store::MessageState::done);
}

TEST_F(EngineTest, WhatTheScriptAnswersReachesTheSenderThatWaits) {
  auto answering = site("function main(msg) reply{ body = 'own words' } send('ehr', msg) end");
  answering->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(answering);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  ASSERT_TRUE(receipts[0].reply);
  EXPECT_EQ(*receipts[0].reply->body, "own words");
}

TEST_F(EngineTest, WhatTheScriptAcknowledgesReachesTheSenderThatWaits) {
  auto answering = site(R"(
    function main(msg)
      ack{ code = "AE", text = "PID-3 is missing",
           errors = { { code = "101", location = "PID^1^3", text = "PID-3 is missing" } } }
    end)");
  answering->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(answering);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  ASSERT_TRUE(receipts[0].reply && receipts[0].reply->ack);
  EXPECT_EQ(receipts[0].reply->ack->outcome, hl7v2::AckOutcome::error);
  ASSERT_EQ(receipts[0].reply->ack->errors.size(), 1u);
  EXPECT_EQ(receipts[0].reply->ack->errors[0].location, "PID^1^3");
}

// HL7 v2 2.8.3.1: the receiver begins the exchange of the application acknowledgement.
TEST_F(EngineTest, AnApplicationAcknowledgementIsADeliveryOfItsOwn) {
  auto enhanced = site(R"(
    function main(msg)
      local id = msg["MSH-10"]
      if id == "N2" then return skip("not wanted") end
      if id == "N3" then return reject("unknown patient") end
      if id == "N4" then error("secret of another patient") end
      if id == "N5" then ack{ code = "AE", text = "by the script" } end
    end)");
  enhanced->channels["lab"].source.set("application_ack", std::string("ehr"));
  auto engine = start(enhanced);
  const auto asking = [](int number, const char* condition) {
    std::string message = oru(number, "A");
    message.insert(message.find("|2.5.1") + 6, std::string("|||AL|") + condition);
    return message;
  };
  std::vector<MessageId> ids;
  for (int i = 1; i <= 5; ++i) ids.push_back(wires_.offer("lab", {asking(i, "AL")})[0].id);
  wires_.offer("lab", {asking(6, "NE"), asking(7, "ER")});
  std::vector<std::string> acknowledged;
  for (const Sent& sent : wires_.delivered(5)) {
    EXPECT_THAT(sent.payload, HasSubstr("MSH|^~\\&|EHR|GEN|LAB|GEN|"));
    EXPECT_THAT(sent.payload, HasSubstr("|2.5.1|||NE|NE"));
    const std::size_t at = sent.payload.find("MSA|");
    acknowledged.push_back(sent.payload.substr(at, sent.payload.find('\r', at) - at));
  }
  EXPECT_THAT(acknowledged, testing::UnorderedElementsAre(
                                "MSA|AA|N1", "MSA|AA|N2", "MSA|AR|N3|unknown patient",
                                testing::AllOf(HasSubstr("MSA|AE|N4|"), Not(HasSubstr("secret"))),
                                "MSA|AE|N5|by the script"));
  wait_for(*engine, ids[0], store::MessageState::done);
  wait_for(*engine, ids[1], store::MessageState::filtered);
  wait_for(*engine, ids[2], store::MessageState::rejected);
}

class DuplicatesTest : public EngineTest {
 protected:
  std::shared_ptr<config::Site> watching(const std::string& script) {
    auto watching = site(script);
    watching->channels["lab"].source.set("duplicates", std::chrono::milliseconds(3'600'000));
    return watching;
  }
};

TEST_F(DuplicatesTest, AreAnsweredAsTheFirstWasAndNotWorkedTwice) {
  auto engine = start(watching(kRelay));
  const auto first = wires_.offer("lab", {oru(1, "A"), oru(1, "A")});
  const auto again = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  EXPECT_EQ(first[0].disposition, Disposition::accepted);
  EXPECT_EQ(first[1].disposition, Disposition::accepted);
  EXPECT_EQ(first[1].id, first[0].id);
  EXPECT_EQ(again[0].disposition, Disposition::accepted);
  EXPECT_EQ(again[0].id, first[0].id);
  const auto sent = wires_.delivered(2);
  EXPECT_EQ(sent[1].payload, oru(2, "A"));
  engine->store().catch_up();
  store::MessageQuery query;
  query.state = store::MessageState::filtered;
  const auto rows = engine->store().messages(query).value();
  ASSERT_EQ(rows.size(), 2u) << "each copy stays on record";
  EXPECT_EQ(rows[1].code, "P312");
  EXPECT_THAT(rows[1].reason, HasSubstr(first[0].id.text()));
  EXPECT_EQ(rows[1].size, 0u) << "without its body";
}

TEST_F(DuplicatesTest, AreKnownAfterARestart) {
  MessageId first;
  {
    auto engine = start(watching(kRelay));
    first = wires_.offer("lab", {oru(1, "A")})[0].id;
    wires_.delivered(1);
    wait_for(*engine, first, store::MessageState::done);
    wires_.offer("lab", {oru(1, "A")});
    engine->stop();
  }
  auto engine = start(watching(kRelay));
  const auto again = wires_.offer("lab", {oru(1, "A")});
  EXPECT_EQ(again[0].disposition, Disposition::accepted);
  EXPECT_EQ(again[0].id, first);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(DuplicatesTest, TheSameControlIdWithAnotherBodyIsAnotherMessage) {
  auto engine = start(watching(kRelay));
  wires_.offer("lab", {oru(1, "A")});
  const auto other = wires_.offer("lab", {oru(1, "B")});
  EXPECT_EQ(other[0].disposition, Disposition::accepted);
  EXPECT_EQ(wires_.delivered(2)[1].payload, oru(1, "B"));
  std::int64_t reused = 0;
  engine->each_channel([&](const ChannelView& view) {
    reused = view.channel.metrics().transport.snapshot()["control_ids_reused_total"];
  });
  EXPECT_EQ(reused, 1);
}

TEST_F(DuplicatesTest, WhatWasRejectedMayComeAgain) {
  auto rejecting = watching("function main(msg) return reject('not yet') end");
  rejecting->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(rejecting);
  EXPECT_EQ(wires_.offer("lab", {oru(1, "A")})[0].disposition, Disposition::refused);
  EXPECT_EQ(wires_.offer("lab", {oru(1, "A")})[0].disposition, Disposition::refused);
}

TEST_F(DuplicatesTest, WaitForTheFirstThatIsStillUnderWay) {
  auto processed = watching(kRelay);
  processed->channels["lab"].ack = {config::AckConfig::When::delivered, "ehr"};
  std::atomic<bool> open{false};
  wires_.answer = [&](const Parcel&, int) {
    return open ? Answer{Answer::Kind::delivered, make_bytes("OK"), {}, std::nullopt}
                : Answer{Answer::Kind::retry, {}, Error{"T105", "away", ""}, std::nullopt};
  };
  auto engine = start(processed);
  auto first = std::async(std::launch::async, [&] { return wires_.offer("lab", {oru(1, "A")}); });
  auto second = std::async(std::launch::async, [&] { return wires_.offer("lab", {oru(1, "A")}); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  open = true;
  const auto one = first.get();
  const auto two = second.get();
  EXPECT_EQ(one[0].disposition, Disposition::accepted);
  EXPECT_EQ(two[0].disposition, Disposition::accepted);
  EXPECT_EQ(one[0].id, two[0].id);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

}  // namespace
}  // namespace cannula::pipeline
