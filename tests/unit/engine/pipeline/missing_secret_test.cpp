// A secret that is not there: what needs it waits alone.
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

}  // namespace
}  // namespace cannula::pipeline
