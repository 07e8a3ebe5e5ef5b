#include "engine/pipeline/duplicates.h"

#include <atomic>
#include <ctime>
#include <future>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;

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

TEST(Duplicates, FindTwinsInLinearTime) {
  std::vector<Duplicates::Fingerprint> prints;
  for (std::uint64_t i = 0; i < 500'000; ++i) prints.push_back({i * 0x9E3779B97F4A7C15, i});
  prints.push_back(prints[7]);
  prints.push_back(prints[9]);
  const std::clock_t before = std::clock();
  const auto twins = Duplicates::twins(prints, [](std::size_t i) { return i == 9; });
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 10)
      << "each with each would take minutes";
  EXPECT_EQ(twins[500'000], 7u);
  EXPECT_EQ(twins[500'001], 500'001u) << "its like was left out";
  EXPECT_EQ(twins[9], 9u);
}

// As webhooks have them: what names them stands beside the body.
TEST(Duplicates, AreKnownByTheirNameAndTheirBody) {
  const auto arrival = [](const std::string& id, const std::string& body) {
    Arrival made;
    made.control_id = id;
    made.body = make_bytes(body);
    return made;
  };
  const auto print = Duplicates::of(arrival("evt-1", "{}"));
  EXPECT_EQ(Duplicates::of(arrival("evt-1", "{}")), print);
  EXPECT_FALSE(Duplicates::of(arrival("evt-2", "{}")) == print);
  EXPECT_FALSE(Duplicates::of(arrival("evt-1", "[]")) == print);
  Arrival elsewhere = arrival("evt-1", "{}");
  elsewhere.sender = "POST /other";
  EXPECT_FALSE(Duplicates::of(elsewhere) == print);
  EXPECT_FALSE(Duplicates::may_be(arrival("", "{}"))) << "nobody can tell";
}

TEST_F(DuplicatesTest, AreForgottenWhenTheWindowHasPassed) {
  auto brief = site(kRelay);
  brief->channels["lab"].source.set("duplicates", std::chrono::milliseconds(300));
  auto engine = start(brief);
  const auto first = wires_.offer("lab", {oru(1, "A")});
  std::this_thread::sleep_for(std::chrono::milliseconds(350));
  const auto later = wires_.offer("lab", {oru(1, "A")});
  EXPECT_NE(later[0].id, first[0].id) << "not only when the next window has passed too";
  EXPECT_EQ(wires_.delivered(2).size(), 2u);
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

TEST_F(DuplicatesTest, AreKnownAfterTheirChannelWasRenamed) {
  auto engine = start(watching(kRelay));
  const MessageId first = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, first, store::MessageState::done);
  auto renamed = watching(kRelay);
  auto lab = renamed->channels.extract("lab");
  lab.key() = "laboratory";
  lab.mapped().name = "laboratory";
  lab.mapped().renamed_from = {"lab"};
  renamed->channels.insert(std::move(lab));
  ASSERT_THAT(engine->reload(renamed), testing::IsEmpty());
  EXPECT_EQ(wires_.offer("lab", {oru(1, "A")})[0].id, first);
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

// Past the first window after the start the index is not asked, and only memory knows.
TEST_F(DuplicatesTest, AreKnownThoughTheirSenderWasNotToldWhatBecameOfTheFirst) {
  constexpr std::chrono::milliseconds kWindow{3000};
  auto held = site(kRelay);
  config::ChannelConfig& lab = held->channels["lab"];
  lab.source.set("duplicates", kWindow);
  lab.ack = {config::AckConfig::When::delivered, "ehr"};
  lab.order.by = config::OrderConfig::By::none;
  lab.destinations[0].retry.on = {{"refused", config::RetryConfig::Act::hold}};
  std::promise<void> begun, repeated;
  auto may_answer = repeated.get_future().share();
  std::atomic<bool> first{true};
  wires_.answer = [&, may_answer](const Parcel&, int) {
    if (!first.exchange(false))
      return Answer{Answer::Kind::delivered, make_bytes("OK"), {}, std::nullopt};
    begun.set_value();
    may_answer.wait();
    return Answer{Answer::Kind::refused, {}, Error{"T1", "no", ""}, std::nullopt};
  };
  auto engine = start(held);
  std::this_thread::sleep_for(kWindow);
  const auto offer = [&] { return wires_.offer("lab", {oru(1, "A")})[0]; };
  auto told = std::async(std::launch::async, offer);
  begun.get_future().wait();
  auto waits = std::async(std::launch::async, offer);
  repeated.set_value();
  const Receipt not_told = told.get();
  EXPECT_EQ(not_told.reason.code, "P319");
  EXPECT_EQ(waits.get().reason.code, "P313") << "who waited for the first does not begin anew";
  EXPECT_EQ(offer().reason.code, "P313");

  ASSERT_TRUE(engine->resend(not_told.id, 1, "tester", "it was put right"));
  wait_for(*engine, not_told.id, store::MessageState::done);
  const Receipt again = offer();
  EXPECT_EQ(again.disposition, Disposition::accepted);
  EXPECT_EQ(again.id, not_told.id);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

}  // namespace
}  // namespace cannula::pipeline
