// What a script sends "always" goes whatever becomes of its message.
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;

constexpr const char* kNotice = R"(
  function main(msg)
    send('ehr', 'a person has to see ' .. msg['MSH-10'], { always = true })
    if msg['MSH-10'] == 'N1' then park('look at it') end
    if msg['MSH-10'] == 'N2' then reject('not this one') end
    if msg['MSH-10'] == 'N3' then error('broken') end
    send('ehr', msg)
  end)";

class SentAlwaysTest : public EngineTest {
 protected:
  store::MessageRow work(Engine& engine, int number, store::MessageState state) {
    const auto id = wires_.offer("lab", {oru(number, "A")})[0].id;
    return wait_for(engine, id, state);
  }
};

TEST_F(SentAlwaysTest, GoesAndLeavesTheMessageWhatItIs) {
  auto engine = start(site(kNotice));
  const auto parked = work(*engine, 1, store::MessageState::parked);
  EXPECT_EQ(wires_.delivered(1)[0].payload, "a person has to see N1");
  work(*engine, 2, store::MessageState::rejected);
  EXPECT_EQ(wires_.delivered(2)[1].payload, "a person has to see N2");
  const auto dead = work(*engine, 3, store::MessageState::dead);
  EXPECT_THAT(dead.reason, HasSubstr("broken"));
  EXPECT_EQ(wires_.delivered(3)[2].payload, "a person has to see N3");
  work(*engine, 4, store::MessageState::done);
  EXPECT_EQ(wires_.delivered(5)[3].payload, "a person has to see N4");

  engine->store().catch_up();
  const auto delivery = engine->store().deliveries(parked.id)->at(0);
  EXPECT_EQ(delivery.state, store::DeliveryState::delivered);
  EXPECT_EQ((*engine->store().message(parked.id))->state, store::MessageState::parked);
}

TEST_F(SentAlwaysTest, GoesAfterARestartToo) {
  std::atomic<bool> gone{true};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{
        gone ? Answer::Kind::retry : Answer::Kind::delivered, nullptr, Error{"T1", "away"}, {}};
  };
  auto away = site(kNotice);
  auto engine = start(away);
  const auto parked = work(*engine, 1, store::MessageState::parked);
  engine->stop();
  gone = false;
  engine = start(away);
  EXPECT_EQ(wires_.delivered(1)[0].payload, "a person has to see N1");
  engine->store().catch_up();
  EXPECT_EQ((*engine->store().message(parked.id))->state, store::MessageState::parked);
}

}  // namespace
}  // namespace cannula::pipeline
