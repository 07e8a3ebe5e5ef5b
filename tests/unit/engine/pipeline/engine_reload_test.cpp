// A reload: what it changes, what it refuses, and that it loses nothing.
#include <atomic>
#include <set>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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

// A sender that goes on while its channel is being removed.
TEST_F(EngineTest, NothingIsTakenOnceItHasBeenAskedWhatARemovalWouldLeaveBehind) {
  auto engine = start(site(kRelay));
  auto removed = site(kRelay);
  removed->channels.clear();
  removed->channels["adt"] = channel("adt", kRelay);
  wires_.when_listening = [&](const std::string& name) {
    if (name == "adt") wires_.offer_later("lab", oru(7, "A"));
  };
  EXPECT_THAT(engine->reload(removed), IsEmpty());
  ASSERT_TRUE(engine->store().commit({}));
  engine->store().catch_up();
  EXPECT_THAT(engine->store().counts().value(), IsEmpty()) << "nothing is stranded";
}

TEST_F(EngineTest, WhatIsUnderWayWhenItsChannelIsRemovedComesToItsEnd) {
  auto engine = start(site(kRelay));
  std::vector<std::string> bodies;
  for (int i = 0; i < 50; ++i) bodies.push_back(oru(i, "A"));
  wires_.offer("lab", bodies);
  auto removed = site(kRelay);
  removed->channels.clear();
  removed->channels["adt"] = channel("adt", kRelay);
  EXPECT_THAT(engine->reload(removed), IsEmpty());
  EXPECT_EQ(wires_.delivered_count(), 50u);
}

TEST_F(EngineTest, WhatTakesTooLongIsAskedAboutAndItsChannelTakesAgain) {
  std::atomic<bool> away{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        away ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T103", "away"}, {}};
  };
  auto engine = start(site(kRelay));
  ASSERT_TRUE(engine->pause("lab", "work", true, "tester", "the test"));
  wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  auto removed = site(kRelay);
  removed->channels.clear();
  removed->channels["adt"] = channel("adt", kRelay);
  const auto findings = engine->reload(removed);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "P315");
  EXPECT_THAT(findings[0].message, HasSubstr("2 messages of channel lab (accepted)"));
  EXPECT_EQ(wires_.offer("lab", {oru(3, "A")})[0].disposition, Disposition::accepted);
  away = false;
  ASSERT_TRUE(engine->pause("lab", "work", false, "tester", "the test"));
  EXPECT_THAT(wires_.delivered(3)[2].payload, HasSubstr("|N3|"));
}

TEST_F(EngineTest, AReloadWaitsForTheAnswersToWhatIsUnderWay) {
  auto with_two = [this](const std::string& written) {
    auto made = site("function main(msg) send('ehr', msg) send('his', msg) end");
    made->channels["lab"].order.by = config::OrderConfig::By::none;
    made->channels["lab"].destinations.push_back(made->channels["lab"].destinations[0]);
    made->channels["lab"].destinations[1].name = "his";
    made->channels["lab"].destinations[1].written = written;
    return made;
  };
  auto engine = start(with_two("one"));
  wires_.silent = true;
  wires_.offer("lab", {oru(1, "A"), oru(2, "B"), oru(3, "C")});
  while (wires_.attempts < 6) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  auto reloaded =
      std::async(std::launch::async, [&] { return engine->reload(with_two("another")); });
  EXPECT_EQ(reloaded.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  wires_.silent = false;
  EXPECT_THAT(reloaded.get(), IsEmpty());
  wires_.offer("lab", {oru(4, "A")});
  EXPECT_EQ(wires_.delivered(8).size(), 8u);
  EXPECT_EQ(wires_.attempts, 8) << "nothing was sent twice";
}

// It may be there, and comes again: whoever looks into the matter must see that.
TEST_F(EngineTest, AnAttemptThatAStopCutsOffIsOnRecord) {
  auto engine = start(site(kRelay));
  wires_.silent = true;
  const MessageId id = wires_.offer("lab", {oru(1, "A")})[0].id;
  while (wires_.attempts < 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  engine->stop(std::chrono::milliseconds(50));
  wires_.silent = false;
  engine = start(site(kRelay));
  wait_for(*engine, id, store::MessageState::done);
  const auto row = engine->store().deliveries(id).value().at(0);
  EXPECT_EQ(row.attempts, 2u);
  EXPECT_EQ(wires_.delivered_count(), 1u);
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
  std::future<std::vector<Receipt>> meanwhile;
  wires_.when_listening = [&](const std::string& name) {
    if (name != "lab") return;
    wires_.when_listening = nullptr;
    meanwhile = wires_.offer_later("lab", oru(7, "A"));
  };
  EXPECT_FALSE(engine->reload(changed).empty());
  // It may have come too late for that listener, and then nothing of it is kept.
  if (meanwhile.get()[0].disposition != Disposition::accepted) wires_.offer("lab", {oru(7, "A")});
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

}  // namespace
}  // namespace cannula::pipeline
