#include "engine/pipeline/engine.h"

#include <atomic>
#include <map>
#include <sstream>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using config::OrderConfig;
using testing::HasSubstr;
using testing::IsEmpty;

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

// As one event it would pass, and arrive as two.
TEST_F(EngineTest, RefusesAMessageWithinAMessage) {
  auto with_partner = site(kRelay);
  config::PartnerConfig partner;
  partner.name = "clinic";
  partner.may = {"ORU^*"};
  with_partner->partners["clinic"] = partner;
  with_partner->channels["lab"].partner = "clinic";
  auto engine = start(with_partner);
  const std::string merge = "MSH|^~\\&|A|B|C|D|20260101||ADT^A40|2|P|2.5\rPID|1||77\rMRG|78\r";
  std::string wide;
  for (const char c : oru(1, "A") + merge) wide += std::string{c, '\0'};
  const auto receipts =
      wires_.offer("lab", {oru(1, "A") + merge, oru(1, "A") + "NTE|1||x\x0B" + merge,
                           "\xFF\xFE" + wide, oru(1, "A") + "BTS|1\r", oru(2, "A")});
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(receipts[i].disposition, Disposition::refused) << i;
    EXPECT_EQ(receipts[i].reason.code, "P336") << i;
  }
  EXPECT_THAT(receipts[0].reason.message, testing::HasSubstr("line "));
  EXPECT_EQ(receipts[4].disposition, Disposition::accepted);
  wires_.delivered(1);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(EngineTest, SaysOfManyRefusalsOfOneAddressOnlyTheFirst) {
  const auto before = spdlog::default_logger();
  std::ostringstream log;
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  {
    auto engine = start(site(kRelay));
    for (int i = 0; i < 50; ++i) wires_.offer("lab", {oru(i, "A") + "BTS|1\r"});
  }
  spdlog::set_default_logger(before);
  const std::string lines = log.str();
  const std::size_t first = lines.find("was refused [P336]");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(lines.find("was refused [P336]", first + 1), std::string::npos) << lines;
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
  std::atomic<bool> away{true};
  wires_.answer = [&away](const Parcel&, int) {
    Answer answer;
    answer.kind = away ? Answer::Kind::retry : Answer::Kind::delivered;
    if (away) answer.reason = {"T103", "away", "", std::nullopt};
    return answer;
  };
  const auto with_to_keep = [this](std::uint64_t bytes) {
    auto made = site(kRelay);
    made->store.keep_free = bytes;
    return made;
  };
  auto engine = start(with_to_keep(0));
  const auto waiting = wires_.offer("lab", {oru(1, "A")})[0];
  ASSERT_EQ(waiting.disposition, Disposition::accepted);

  const auto comes = [&engine](bool closed) {
    bool is = !closed;
    for (int i = 0; i < 6000 && is != closed; ++i) {
      engine->each_channel(
          [&](const ChannelView& view) { is = view.channel.not_taking().has_value(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return is == closed;
  };
  ASSERT_THAT(engine->reload(with_to_keep(std::uint64_t{1} << 60)), IsEmpty());
  ASSERT_TRUE(comes(true));
  const auto refused = wires_.offer("lab", {oru(2, "A")})[0];
  EXPECT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.reason.code, "P314");
  away = false;
  wait_for(*engine, waiting.id, store::MessageState::done);
  EXPECT_TRUE(engine->disk_low());

  ASSERT_THAT(engine->reload(with_to_keep(0)), IsEmpty());
  ASSERT_TRUE(comes(false));
  EXPECT_EQ(wires_.offer("lab", {oru(2, "A")})[0].disposition, Disposition::accepted);
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

}  // namespace
}  // namespace cannula::pipeline
