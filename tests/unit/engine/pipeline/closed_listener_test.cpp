// A port that another program has: the channel that wants it waits alone.
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

std::optional<Error> why_not_open(const Engine& engine, const std::string& name) {
  std::optional<Error> why;
  engine.each_channel([&](const ChannelView& view) {
    if (view.channel.name() == name && view.not_open) why = view.not_open->why;
  });
  return why;
}

TEST_F(EngineTest, AChannelWhosePortIsTakenWaitsAloneAndOpensWhenItIsFree) {
  auto site = this->site(kRelay);
  site->channels["adt"] = channel("adt", kRelay);
  wires_.ports_in_use_of = {"adt"};
  wires_.ports_in_use = true;
  const auto engine = start(site);
  ASSERT_TRUE(why_not_open(*engine, "adt"));
  EXPECT_EQ(why_not_open(*engine, "adt")->code, "T101");
  EXPECT_FALSE(why_not_open(*engine, "lab"));
  EXPECT_TRUE(engine->ready());
  wires_.offer("lab", {oru(1, "P")});
  wires_.delivered(1);

  wires_.ports_in_use = false;
  for (int i = 0; i < 6000 && why_not_open(*engine, "adt"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  wires_.offer("adt", {oru(2, "P")});
  wires_.delivered(2);
}

TEST_F(EngineTest, WhenNoPortIsFreeTheEngineSaysSoAndEnds) {
  auto site = this->site(kRelay);
  site->channels["adt"] = channel("adt", kRelay);
  wires_.ports_in_use_of = {"adt", "lab"};
  wires_.ports_in_use = true;
  Engine engine(site, transports_);
  const auto findings = engine.start();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].code, "T101");
  EXPECT_THAT(findings[0].message, testing::HasSubstr("channel adt"));
}

}  // namespace
}  // namespace cannula::pipeline
