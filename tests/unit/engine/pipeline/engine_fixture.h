// An engine with the test's own wires, in a folder that goes with the test.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/pipeline/engine.h"
#include "tests/unit/engine/pipeline/fake_wires.h"

namespace cannula::pipeline {

inline constexpr const char* kRelay = "function main(msg) send('ehr', msg) end";

class EngineTest : public testing::Test {
 protected:
  std::shared_ptr<config::Site> site(const std::string& script) {
    auto site = std::make_shared<config::Site>();
    site->root = folder_.path();
    site->store.directory = folder_.path() / "state";
    site->channels["lab"] = channel("lab", script);
    return site;
  }
  static config::ChannelConfig channel(const std::string& name, const std::string& script) {
    config::ChannelConfig channel;
    channel.name = name;
    channel.source_type = "fake";
    channel.source.set("listen", name);
    channel.source_written = name;
    config::DestinationConfig destination;
    destination.name = "ehr";
    destination.type = "fake";
    destination.retry = {std::chrono::milliseconds(1), std::chrono::milliseconds(5),
                         std::chrono::hours(1)};
    channel.destinations.push_back(destination);
    channel.script = std::make_shared<const Source>("main.lua", script);
    return channel;
  }
  std::unique_ptr<Engine> start(std::shared_ptr<const config::Site> site) {
    auto engine = std::make_unique<Engine>(std::move(site), transports_);
    const auto findings = engine->start();
    EXPECT_THAT(findings, testing::IsEmpty()) << render(findings);
    return engine;
  }
  // Waits until the destination has nothing more to do: it has heard of all that was ended.
  static bool comes_to_rest(const Engine& engine, const std::string& destination) {
    std::size_t in_memory = 1;
    for (int i = 0; i < 6000 && in_memory > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      engine.each_channel([&](const ChannelView& view) {
        in_memory = view.channel.destinations().at(destination)->in_memory();
      });
    }
    return in_memory == 0;
  }
  // Waits until the message is in the state, and tells its row.
  static store::MessageRow wait_for(Engine& engine, MessageId id, store::MessageState state) {
    store::MessageRow row;
    for (int i = 0; i < 6000; ++i) {
      engine.store().catch_up();
      auto found = engine.store().message(id);
      if (found && *found) row = **found;
      if (row.state == state) return row;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "message is " << store::name_of(row.state) << ", not " << store::name_of(state)
                  << ": " << row.reason;
    return row;
  }

  TemporaryFolder folder_;
  FakeWires wires_;
  const std::vector<Transport> transports_{fake_transport(wires_)};
};

}  // namespace cannula::pipeline
