// Many messages at once: sent again at a rate, cancelled, ended, and edited.
#include <set>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using config::OrderConfig;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kMany = 6000;  // more than the window of a destination

class BulkTest : public EngineTest {
 protected:
  BulkTest() {
    wires_.answer = [this](const Parcel&, int) {
      return Answer{kind_, nullptr, Error{"T353", "not this one"}, {}};
    };
  }
  std::shared_ptr<config::Site> by_patient(
      OrderConfig::OnHold on_hold = OrderConfig::OnHold::pass) {
    auto made = site(kRelay);
    made->channels["lab"].order.by = OrderConfig::By::paths;
    made->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
    made->channels["lab"].order.on_hold = on_hold;
    return made;
  }
  // Of ten patients, in their order.
  std::vector<MessageId> offer_many(int count) {
    std::vector<MessageId> ids;
    for (int i = 0; i < count;) {
      std::vector<std::string> some;
      for (int k = 0; k < 500 && i < count; ++k, ++i) some.push_back(oru(i, patient_of(i)));
      for (const Receipt& receipt : wires_.offer("lab", std::move(some))) ids.push_back(receipt.id);
    }
    return ids;
  }
  static std::string patient_of(int number) { return "P" + std::to_string(number % 10); }

  static std::size_t count(Engine& engine, const store::LetterQuery& query) {
    engine.store().catch_up();
    return engine.store().letters(query)->size();
  }
  static void wait_until(Engine& engine, const store::LetterQuery& query, std::size_t wanted) {
    std::size_t found = 0;
    for (int i = 0; i < 6000; ++i) {
      found = count(engine, query);
      if (found == wanted) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << found << " instead of " << wanted;
  }
  static store::LetterQuery dead() {
    return {.deliveries = {store::DeliveryState::dead}, .messages = {store::MessageState::dead}};
  }
  static BulkOrder order(BulkOrder::Act act, store::LetterQuery of, std::uint32_t rate = 0) {
    BulkOrder order;
    order.act = act;
    order.of = std::move(of);
    order.rate = rate;
    order.actor = "tester";
    order.reason = "the test";
    return order;
  }
  // What arrived of each patient is in its order, each once.
  static void expect_in_order(const std::vector<Sent>& sent, std::size_t count) {
    std::map<std::string, int> last;
    std::set<std::string> keys;
    for (const Sent& one : sent) {
      const auto message = *hl7v2::Message::parse(make_bytes(one.payload));
      const std::string patient = *message.get(*hl7v2::Path::parse("PID-3.1"));
      const int number = std::stoi(message.get(*hl7v2::Path::parse("MSH-10"))->substr(1));
      if (last.contains(patient)) {
        EXPECT_LT(last[patient], number) << patient;
      }
      last[patient] = number;
      keys.insert(one.key);
    }
    EXPECT_EQ(keys.size(), count);
    EXPECT_EQ(sent.size(), count);
  }

  std::atomic<Answer::Kind> kind_{Answer::Kind::refused};
};

TEST_F(BulkTest, AReplayOfMoreThanTheWindowGoesInTheOrderOfEachKeyAndOnce) {
  auto engine = start(by_patient());
  offer_many(kMany);
  wait_until(*engine, dead(), kMany);
  kind_ = Answer::Kind::delivered;
  const auto begun = engine->bulk_acts().begin(order(BulkOrder::Act::resend, dead()));
  ASSERT_TRUE(begun) << begun.error().text();
  EXPECT_EQ(begun->total, static_cast<std::size_t>(kMany));
  const auto ended = engine->bulk_acts().wait(begun->number);
  EXPECT_EQ(ended->state, BulkProgress::State::done);
  EXPECT_EQ(ended->done, static_cast<std::size_t>(kMany));
  expect_in_order(wires_.delivered(kMany), kMany);
  wait_until(*engine, dead(), 0);
}

TEST_F(BulkTest, WhatAnotherReplayHasSentMeanwhileIsPassedOver) {
  auto engine = start(by_patient());
  offer_many(100);
  wait_until(*engine, dead(), 100);
  kind_ = Answer::Kind::delivered;
  const auto slow = engine->bulk_acts().begin(order(BulkOrder::Act::resend, dead(), 100));
  const auto fast = engine->bulk_acts().begin(order(BulkOrder::Act::resend, dead()));
  ASSERT_TRUE(slow && fast);
  const auto first = engine->bulk_acts().wait(slow->number);
  const auto second = engine->bulk_acts().wait(fast->number);
  EXPECT_EQ(first->done + second->done, 100u);
  EXPECT_EQ(first->done + first->passed_over, first->total);
  wait_until(*engine, dead(), 0);
  expect_in_order(wires_.delivered(100), 100);
}

TEST_F(BulkTest, WithHoldKeyAReplayLetsEachKeyGoOnInItsOrder) {
  auto engine = start(by_patient(OrderConfig::OnHold::hold_key));
  offer_many(30);  // the first of each patient dies, the others wait behind it
  wait_until(*engine, dead(), 10);
  kind_ = Answer::Kind::delivered;
  const auto begun = engine->bulk_acts().begin(order(BulkOrder::Act::resend, dead()));
  ASSERT_TRUE(begun);
  expect_in_order(wires_.delivered(30), 30);
}

TEST_F(BulkTest, AReplayKeepsItsRateAndStopsWhereItIsWhenItIsCancelled) {
  auto engine = start(by_patient());
  offer_many(500);
  wait_until(*engine, dead(), 500);
  kind_ = Answer::Kind::delivered;
  const auto began = std::chrono::steady_clock::now();
  const auto begun = engine->bulk_acts().begin(order(BulkOrder::Act::resend, dead(), 50));
  wires_.delivered(20);
  const auto cancelled = engine->bulk_acts().cancel(begun->number, "another person");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, BulkProgress::State::cancelled);
  EXPECT_EQ(cancelled->cancelled_by, "another person");
  EXPECT_LE(static_cast<double>(cancelled->done), 10 + 50 * took.count());
  EXPECT_LT(cancelled->done, 500u);
  wires_.delivered(cancelled->done);
  wait_until(*engine, dead(), 500 - cancelled->done);
  EXPECT_EQ(engine->bulk_acts().cancel(77, "x").error().code, "P321");
  const auto acts = engine->acts().recent(10);
  ASSERT_EQ(acts.size(), 1u);
  EXPECT_EQ(acts[0].what, "replay");
  EXPECT_EQ(acts[0].reason, "the test");
}

TEST_F(BulkTest, AnEngineThatStopsEndsItsReplaysAndTheRestStaysDead) {
  auto site = by_patient();
  auto engine = start(site);
  offer_many(200);
  wait_until(*engine, dead(), 200);
  ASSERT_TRUE(engine->bulk_acts().begin(order(BulkOrder::Act::resend, dead(), 5)));
  engine->stop();
  engine = start(site);
  EXPECT_THAT(engine->bulk_acts().all(), IsEmpty());
  EXPECT_GE(count(*engine, dead()), 150u);
}

TEST_F(BulkTest, MessagesWhoseScriptFailedRunThroughItAgain) {
  auto failing = site("function main(msg) error('a mistake') end");
  auto engine = start(failing);
  offer_many(700);
  wait_until(*engine, dead(), 700);
  const auto causes = engine->store().causes(dead());
  ASSERT_EQ(causes->size(), 1u);
  EXPECT_EQ(causes->front().place, "main.lua:1");
  auto mended = site(kRelay);
  ASSERT_THAT(engine->reload(mended), IsEmpty());
  kind_ = Answer::Kind::delivered;
  store::LetterQuery there = dead();
  there.place = "main.lua:1";
  const auto begun = engine->bulk_acts().begin(order(BulkOrder::Act::resend, there));
  ASSERT_TRUE(begun);
  wires_.delivered(700);
  wait_until(*engine, dead(), 0);
}

TEST_F(BulkTest, WhatWasDeliveredInATimeIsDeliveredAgainWithTheSameKeys) {
  kind_ = Answer::Kind::delivered;
  auto engine = start(by_patient());
  offer_many(20);
  const auto first = wires_.delivered(20);
  store::LetterQuery delivered{.destination = "ehr",
                               .deliveries = {store::DeliveryState::delivered}};
  wait_until(*engine, delivered, 20);
  store::LetterQuery before = delivered;
  before.to = 1000;  // long ago
  EXPECT_EQ(engine->bulk_acts().begin(order(BulkOrder::Act::resend, before))->total, 0u);
  ASSERT_TRUE(engine->bulk_acts().begin(order(BulkOrder::Act::resend, delivered)));
  const auto again = wires_.delivered(40);
  std::multiset<std::string> keys;
  for (const Sent& one : again) keys.insert(one.key);
  for (const Sent& one : first) EXPECT_EQ(keys.count(one.key), 2u);
}

TEST_F(BulkTest, AllThatWaitsIsEndedAndNothingOfItGoes) {
  kind_ = Answer::Kind::retry;
  auto engine = start(by_patient());
  offer_many(kMany);
  const store::LetterQuery waiting{
      .destination = "ehr",
      .deliveries = {store::DeliveryState::queued, store::DeliveryState::retrying}};
  wait_until(*engine, waiting, kMany);
  const auto begun = engine->bulk_acts().begin(order(BulkOrder::Act::discard, waiting));
  const auto ended = engine->bulk_acts().wait(begun->number);
  EXPECT_EQ(ended->done, static_cast<std::size_t>(kMany));
  wait_until(*engine, waiting, 0);
  ASSERT_TRUE(ended->under_way == 0 || comes_to_rest(*engine, "ehr"));
  kind_ = Answer::Kind::delivered;
  const auto id = wires_.offer("lab", {oru(99'999, "P1")})[0].id;
  EXPECT_EQ(wires_.delivered(1)[0].key, id.text() + "-ehr-1");
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(BulkTest, MessagesThatWaitForTheirScriptAreEnded) {
  auto engine = start(by_patient());
  ASSERT_TRUE(engine->pause("lab", "work", true, "tester", "the test"));
  offer_many(kMany);
  const store::LetterQuery waiting{.messages = {store::MessageState::accepted}};
  wait_until(*engine, waiting, kMany);
  const auto begun = engine->bulk_acts().begin(order(BulkOrder::Act::discard, waiting));
  EXPECT_EQ(engine->bulk_acts().wait(begun->number)->done, static_cast<std::size_t>(kMany));
  kind_ = Answer::Kind::delivered;
  ASSERT_TRUE(engine->pause("lab", "work", false, "tester", "the test"));
  wires_.offer("lab", {oru(99'999, "P1")});
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N99999|"));
  EXPECT_EQ(count(*engine, {.messages = {store::MessageState::discarded}}),
            static_cast<std::size_t>(kMany));
}

TEST_F(BulkTest, AnEditedMessageTakesThePlaceOfTheDeadOneAndBothKnowEachOther) {
  auto engine = start(by_patient());
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::dead);
  kind_ = Answer::Kind::delivered;
  const auto edited = engine->edit(id, make_bytes(oru(2, "B")), "tester", "the patient was wrong");
  ASSERT_TRUE(edited) << edited.error().text();
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|B^^^"));
  EXPECT_EQ(wait_for(*engine, *edited, store::MessageState::done).edited_from, id);
  const auto old = wait_for(*engine, id, store::MessageState::discarded);
  EXPECT_THAT(old.reason, HasSubstr("edited and sent as a new message: the patient was wrong"));
  EXPECT_THAT(*engine->store().edited_as(id), ElementsAre(*edited));
  const auto record = std::get<store::Accepted>(engine->store().trail(*edited)->front());
  EXPECT_EQ(record.editor, "tester");
  EXPECT_EQ(record.control_id, "N2");
}

TEST_F(BulkTest, WithHoldKeyAnEditedMessageGoesBeforeThoseThatWaitedForTheOldOne) {
  const char* kFailsOnce = R"(
    function main(msg)
      if msg["MSH-10"] == "N1" then error("a mistake") end
      send('ehr', msg)
    end)";
  for (const char* script : {kRelay, kFailsOnce}) {  // it dies at its destination; by its script
    kind_ = script == kRelay ? Answer::Kind::refused : Answer::Kind::delivered;
    auto made = by_patient(OrderConfig::OnHold::hold_key);
    made->channels["lab"].script = std::make_shared<const Source>("main.lua", script);
    auto engine = start(made);
    const std::size_t before = wires_.delivered_count();
    const auto ids = wires_.offer("lab", {oru(1, "A"), oru(2, "A"), oru(3, "A")});
    wait_for(*engine, ids[0].id, store::MessageState::dead);
    kind_ = Answer::Kind::delivered;
    ASSERT_TRUE(engine->edit(ids[0].id, make_bytes(oru(0, "A")), "tester", "why"));
    const auto sent = wires_.delivered(before + 3);
    ASSERT_EQ(sent.size(), before + 3);
    EXPECT_THAT(sent[before].payload, HasSubstr("|N0|"));
    EXPECT_THAT(sent[before + 1].payload, HasSubstr("|N2|"));
    EXPECT_THAT(sent[before + 2].payload, HasSubstr("|N3|"));
    engine->stop();
  }
}

TEST_F(BulkTest, WhatWasDeliveredStaysAsItIsWhenItIsEdited) {
  kind_ = Answer::Kind::delivered;
  auto engine = start(by_patient());
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::done);
  const auto edited = engine->edit(id, make_bytes(oru(2, "A")), "tester", "why");
  ASSERT_TRUE(edited);
  wait_for(*engine, *edited, store::MessageState::done);
  wait_for(*engine, id, store::MessageState::done);
}

}  // namespace
}  // namespace cannula::pipeline
