#include "engine/ops/waits.h"

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::ops {
namespace {

using pipeline::oru;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class WaitsTest : public pipeline::EngineTest {
 protected:
  // Each patient's messages in order, and a receiver that is away.
  WaitsTest() {
    wires_.answer = [](const Parcel&, int) {
      return Answer{Answer::Kind::retry, nullptr, Error{"T103", "away"}, {}};
    };
  }
  std::shared_ptr<config::Site> by_patient(const std::string& script = pipeline::kRelay) {
    auto made = site(script);
    made->channels["lab"].order.by = config::OrderConfig::By::paths;
    made->channels["lab"].order.on_hold = config::OrderConfig::OnHold::hold_key;
    made->channels["lab"].order.paths = {*hl7v2::Path::parse("PID-3.1")};
    return made;
  }
  std::vector<std::string> sentences(const pipeline::Engine& engine, MessageId id,
                                     bool runs = true) {
    const auto message = engine.store().message(id).value();
    return what_it_waits_for(engine.store(), runs ? &engine : nullptr, *message,
                             engine.store().deliveries(id).value());
  }
  static std::string goes_first(MessageId id) {
    return "message " + id.text() + " of the same order key goes to ";
  }
};

TEST_F(WaitsTest, WhatStandsBehindAnotherOfItsPatientSaysWhich) {
  auto engine = start(by_patient());
  std::vector<MessageId> ids;
  for (const char* patient : {"A", "B", "A"}) {
    ids.push_back(wires_.offer("lab", {oru(static_cast<int>(ids.size()), patient)})[0].id);
    wait_for(*engine, ids.back(), store::MessageState::queued);
  }
  EXPECT_THAT(sentences(*engine, ids[2]), Contains(HasSubstr(goes_first(ids[0]) + "ehr first")));
  EXPECT_THAT(sentences(*engine, ids[1]), Not(Contains(HasSubstr("of the same order key"))));
  EXPECT_THAT(sentences(*engine, ids[0]), Not(Contains(HasSubstr("of the same order key"))));
  EXPECT_THAT(sentences(*engine, ids[2], false), ElementsAre(HasSubstr("no engine runs")));
}

TEST_F(WaitsTest, AlsoWhereTheOtherCameUnderAFormerName) {
  auto engine = start(by_patient());
  const MessageId first = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, first, store::MessageState::queued);
  auto renamed = by_patient("function main(msg) send('his', msg) end");
  auto lab = renamed->channels.extract("lab");
  lab.key() = "laboratory";
  lab.mapped().name = "laboratory";
  lab.mapped().renamed_from = {"lab"};
  lab.mapped().destinations[0].name = "his";
  lab.mapped().destinations[0].renamed_from = {"ehr"};
  renamed->channels.insert(std::move(lab));
  ASSERT_THAT(engine->reload(renamed), IsEmpty());
  const MessageId second = wires_.offer("lab", {oru(2, "A")})[0].id;
  wait_for(*engine, second, store::MessageState::queued);
  EXPECT_THAT(sentences(*engine, second), Contains(HasSubstr(goes_first(first))));
}

TEST_F(WaitsTest, WhatAParkedMessageHoldsSaysSo) {
  auto engine = start(by_patient(
      "function main(msg) if msg['OBX-5'] == '1' then return park('look') end send('ehr', msg) "
      "end"));
  const MessageId first = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, first, store::MessageState::parked);
  const MessageId second = wires_.offer("lab", {oru(2, "A")})[0].id;
  engine->store().catch_up();
  EXPECT_THAT(sentences(*engine, second),
              ElementsAre(AllOf(HasSubstr(first.text()), HasSubstr("is parked and holds it"))));
}

TEST_F(WaitsTest, APauseSaysHowItIsEnded) {
  auto engine = start(by_patient());
  ASSERT_TRUE(engine->pause("lab", "to:ehr", true, "ina", "the test"));
  const MessageId id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::queued);
  EXPECT_THAT(sentences(*engine, id),
              ElementsAre(AllOf(HasSubstr("destination ehr is paused"),
                                HasSubstr("`cannula channel resume lab SITE --destination ehr"))));
}

TEST_F(WaitsTest, WhatHasEndedWaitsForNothing) {
  wires_.answer = [](const Parcel&, int) { return Answer{Answer::Kind::delivered, {}, {}, {}}; };
  auto engine = start(by_patient());
  const MessageId id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::done);
  EXPECT_THAT(sentences(*engine, id), IsEmpty());
}

}  // namespace
}  // namespace cannula::ops
