// What people do: sending again, discarding, pausing.
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using config::OrderConfig;
using testing::ElementsAre;
using testing::HasSubstr;

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
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  engine->store().catch_up();
  ASSERT_TRUE(engine->discard(receipts[0].id, 0, "tester", "not needed"));
  wait_for(*engine, receipts[0].id, store::MessageState::discarded);
  ASSERT_TRUE(comes_to_rest(*engine, "ehr"));  // an attempt may have been under way
  away = false;
  wires_.offer("lab", {oru(2, "A")});
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N2|"));
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

// Attempts are made all the time, so that some are about to begin in the moment of each answer.
TEST_F(EngineTest, NoAttemptBeginsAfterADiscardHasBeenAnswered) {
  constexpr int kMessages = 60;
  std::mutex mutex;
  std::map<std::string, int> attempts;  // by key
  const auto attempts_of = [&](MessageId id) {
    std::scoped_lock lock(mutex);
    return attempts[id.text() + "-ehr-1"];
  };
  wires_.answer = [&](const Parcel& parcel, int attempt) {
    std::scoped_lock lock(mutex);
    attempts[parcel.key] = attempt;
    return Answer{Answer::Kind::retry, nullptr, Error{"T1", "away"}, {}};
  };
  auto busy = site(kRelay);
  busy->channels["lab"].order.by = OrderConfig::By::none;
  busy->channels["lab"].destinations[0].retry.away_after = 1'000'000;
  auto engine = start(busy);
  std::vector<std::string> bodies;
  for (int i = 0; i < kMessages; ++i) bodies.push_back(oru(i, "A"));
  const auto receipts = wires_.offer("lab", bodies);
  for (int i = 0; i < 6000 && attempts_of(receipts.back().id) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  int answered = 0;
  std::map<MessageId, int> most;  // attempts there may be
  for (const Receipt& receipt : receipts) {
    const auto under_way = engine->discard(receipt.id, 0, "tester", "not needed");
    most[receipt.id] = attempts_of(receipt.id);
    ASSERT_TRUE(under_way);
    EXPECT_LE(*under_way, 1u);
    if (*under_way > 0) ++most[receipt.id];
    answered += *under_way == 0 ? 1 : 0;
  }
  ASSERT_TRUE(comes_to_rest(*engine, "ehr"));
  for (const auto& [id, many] : most) EXPECT_LE(attempts_of(id), many);
  EXPECT_GT(answered, 0);
}

// A destination that takes its time with what it is told to, as a slow peer does: no thread waits.
class SlowlyAnsweredTest : public EngineTest {
 protected:
  // The message `number` is under way until answer() is called with what the other side says.
  void answer_slowly(int number) {
    const std::string word = "|N" + std::to_string(number) + "|";
    wires_.deliver_remembering = [this, word](const Parcel& parcel,
                                              Memory&) -> boost::asio::awaitable<Remembered> {
      Remembered ended;
      ended.answer = Answer{Answer::Kind::delivered, make_bytes("OK"), {}, std::nullopt};
      if (parcel.payload->find(word) == std::string::npos) co_return ended;
      begun_.set_value();
      boost::asio::steady_timer again(co_await boost::asio::this_coro::executor);
      while (!answered_) {
        again.expires_after(std::chrono::milliseconds(1));
        co_await again.async_wait(boost::asio::use_awaitable);
      }
      ended.answer.kind = kind_;
      ended.answer.reason = Error("T1", "no");
      co_return ended;
    };
  }
  void wait_until_under_way() { begun_.get_future().wait(); }
  void answer(Answer::Kind kind) {
    kind_ = kind;
    answered_ = true;
  }

 private:
  std::promise<void> begun_;
  std::atomic<Answer::Kind> kind_{};
  std::atomic<bool> answered_{false};
};

// It counts as what it is, though the message has ended.
TEST_F(SlowlyAnsweredTest, ADiscardSaysThatAnAttemptIsUnderWayAndDoesNotWaitForIt) {
  answer_slowly(1);
  auto engine = start(site(kRelay));
  const MessageId id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_until_under_way();
  const auto under_way = engine->discard(id, 0, "tester", "not needed");
  ASSERT_TRUE(under_way) << under_way.error().text();
  EXPECT_EQ(*under_way, 1u);
  EXPECT_EQ(wires_.delivered_count(), 0u);
  answer(Answer::Kind::delivered);
  wires_.delivered(1);
  const auto state = [&] {
    engine->store().catch_up();
    return engine->store().deliveries(id)->at(0).state;
  };
  for (int i = 0; i < 6000 && state() != store::DeliveryState::delivered; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(state(), store::DeliveryState::delivered);
}

// Who ended it while it was under way does not come back to lift a hold.
TEST_F(SlowlyAnsweredTest, WhatIsRefusedAfterItWasDiscardedHoldsNothing) {
  answer_slowly(1);
  auto holding = site(kRelay);
  holding->channels["lab"].order.on_hold = OrderConfig::OnHold::hold_key;
  auto engine = start(holding);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  wait_until_under_way();
  EXPECT_EQ(engine->discard(receipts[0].id, 0, "tester", "not needed").value(), 1u);
  answer(Answer::Kind::refused);
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N2|"));
  wait_for(*engine, receipts[0].id, store::MessageState::discarded);
}

TEST_F(EngineTest, ADiscardIsAnsweredThoughItsDestinationDoesNotHearOfIt) {
  std::promise<void> begun, done;
  auto may_go_on = done.get_future().share();
  wires_.answer = [&, may_go_on](const Parcel&, int) {
    begun.set_value();
    may_go_on.wait();
    return Answer{Answer::Kind::delivered, make_bytes("OK"), {}, std::nullopt};
  };
  auto engine = start(site(kRelay));
  const MessageId id = wires_.offer("lab", {oru(1, "A")})[0].id;
  begun.get_future().wait();
  EXPECT_EQ(engine->discard(id, 0, "tester", "not needed").value(), 1u) << "it may be under way";
  done.set_value();
  wires_.delivered(1);
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

}  // namespace
}  // namespace cannula::pipeline
