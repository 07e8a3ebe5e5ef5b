// The whole engine on a disk that crashes at every one of its operations: what was acknowledged is
// delivered after the restart, in order per key, and what comes twice has the same delivery key.
#include <gmock/gmock.h>

#include "engine/pipeline/engine.h"
#include "tests/faults/store_faulty_file_system.h"
#include "tests/unit/engine/pipeline/fake_wires.h"

namespace cannula::pipeline {
namespace {

using store::FaultyFileSystem;

constexpr int kPatients = 3;
constexpr int kRounds =
    12;  // of one message for each patient, so one run has some dozens of disk operations

std::shared_ptr<const config::Site> relay_site(const std::filesystem::path& folder) {
  auto site = std::make_shared<config::Site>();
  site->root = folder;
  site->store.directory = folder / "state";
  site->engine.workers = 2;
  config::ChannelConfig channel;
  channel.name = "lab";
  channel.source_type = "fake";
  channel.source.set("listen", "lab");
  channel.order.by = config::OrderConfig::By::paths;
  channel.order.paths = {*hl7v2::Path::parse("PID-3.1")};
  config::DestinationConfig destination;
  destination.name = "ehr";
  destination.type = "fake";
  destination.retry.first = std::chrono::milliseconds(1);
  channel.destinations.push_back(destination);
  channel.script =
      std::make_shared<const Source>("main.lua", "function main(msg) send('ehr', msg) end");
  site->channels["lab"] = channel;
  return site;
}

struct RelayRun {
  TemporaryFolder folder;
  FakeWires wires;
  std::vector<Transport> transports{fake_transport(wires)};
  std::vector<std::string> acknowledged;  // MSH-10, in the order of the receipts

  // Offers until the disk is gone or all is said.
  void offer_all() {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::string> bodies, numbers;
      for (int patient = 0; patient < kPatients; ++patient) {
        const int number = 1000 + round * kPatients + patient;
        bodies.push_back(oru(number, "P" + std::to_string(patient)));
        numbers.push_back("N" + std::to_string(number));
      }
      const auto receipts = wires.offer("lab", std::move(bodies));
      for (std::size_t i = 0; i < receipts.size(); ++i) {
        if (receipts[i].disposition == Disposition::accepted) acknowledged.push_back(numbers[i]);
      }
    }
  }
  std::set<std::string> arrived() {
    std::set<std::string> numbers;
    for (const Sent& sent : wires.delivered(0)) numbers.insert(number_of(sent));
    return numbers;
  }
  static std::string number_of(const Sent& sent) {
    return *hl7v2::Message::parse(make_bytes(sent.payload))->get(*hl7v2::Path::parse("MSH-10"));
  }
  bool all_arrived() {
    const auto there = arrived();
    return std::all_of(acknowledged.begin(), acknowledged.end(),
                       [&](const std::string& number) { return there.contains(number); });
  }
};

void expect_order_and_keys(RelayRun& run) {
  std::map<std::string, std::string> last_of_patient;
  std::map<std::string, std::string> payload_of_key;
  for (const Sent& sent : run.wires.delivered(0)) {
    const std::string number = RelayRun::number_of(sent);
    std::string& last = last_of_patient[*hl7v2::Message::parse(make_bytes(sent.payload))
                                             ->get(*hl7v2::Path::parse("PID-3.1"))];
    EXPECT_LE(last, number) << "out of order";
    last = number;
    auto [known, first] = payload_of_key.try_emplace(sent.key, sent.payload);
    EXPECT_EQ(known->second, sent.payload) << "one key, two payloads";
  }
  EXPECT_EQ(payload_of_key.size(), run.arrived().size())
      << "a message was delivered under two keys";
}

// True when the crash came before the run was over.
bool crash_and_recover(std::uint64_t at, FaultyFileSystem::Unsynced unsynced) {
  RelayRun run;
  FaultyFileSystem disk(at);
  const auto site = relay_site(run.folder.path());
  disk.crash_at(at);
  {
    Engine engine(site, run.transports, &disk);
    if (engine.start().empty()) run.offer_all();
    engine.stop(std::chrono::milliseconds(0));
  }
  const bool crashed = disk.crashed();
  disk.restart(unsynced);

  Engine engine(site, run.transports, &disk);
  const auto findings = engine.start();
  EXPECT_TRUE(findings.empty()) << render(findings);
  for (int i = 0; i < 6000 && !run.all_arrived(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(run.all_arrived()) << "acknowledged and not delivered";
  engine.stop();
  expect_order_and_keys(run);
  return crashed;
}

class EngineCrash : public testing::TestWithParam<FaultyFileSystem::Unsynced> {};

TEST_P(EngineCrash, AtEveryDiskOperationNothingAcknowledgedIsLost) {
  std::uint64_t at = 1;
  while (crash_and_recover(at, GetParam())) {
    if (HasFailure()) FAIL() << "crash at disk operation " << at;
    ++at;
  }
  EXPECT_GT(at, 20u) << "the run was over before anything could crash";
}

std::string name_of_disk(const testing::TestParamInfo<FaultyFileSystem::Unsynced>& disk) {
  return disk.param == FaultyFileSystem::Unsynced::lost ? "ForgetsWhatWasNotSynced"
                                                        : "TearsWhatWasNotSynced";
}

INSTANTIATE_TEST_SUITE_P(Disks, EngineCrash,
                         testing::Values(FaultyFileSystem::Unsynced::lost,
                                         FaultyFileSystem::Unsynced::torn),
                         name_of_disk);

// A disk that is full, or fails, for a while: nothing acknowledged is lost, and the engine goes on
// when it is well again.
TEST(EngineOnATroubledDisk, GoesOnWhenTheDiskIsWellAgain) {
  for (const char* code : {"J103", "J104"}) {
    for (std::uint64_t first = 12; first < 60; first += 4) {
      RelayRun run;
      FaultyFileSystem disk(first);
      disk.fail_at(first, 3, code);
      Engine engine(relay_site(run.folder.path()), run.transports, &disk);
      if (!engine.start().empty()) continue;  // the trouble came before there was anything to lose
      run.offer_all();
      for (int i = 0; i < 6000 && !run.all_arrived(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      EXPECT_TRUE(run.all_arrived()) << code << " at " << first;
      // The trouble may only come now; a source that is told so sends again.
      bool taken = false;
      for (int i = 0; i < 4 && !taken; ++i)
        taken = run.wires.offer("lab", {oru(9999, "P0")})[0].disposition == Disposition::accepted;
      EXPECT_TRUE(taken) << code << " at " << first;
      engine.stop();
      expect_order_and_keys(run);
    }
  }
}

// Nobody sends to an engine that says it is not ready, so it finds out by itself that it is again.
TEST(EngineOnATroubledDisk, IsNotReadyWhileTheJournalCannotBeWritten) {
  RelayRun run;
  FaultyFileSystem disk(1);
  Engine engine(relay_site(run.folder.path()), run.transports, &disk);
  ASSERT_TRUE(engine.start().empty());
  EXPECT_TRUE(engine.ready());
  disk.fail_at(disk.operations() + 1, 1'000'000'000, "J104");
  EXPECT_NE(run.wires.offer("lab", {oru(1, "P0")})[0].disposition, Disposition::accepted);
  EXPECT_FALSE(engine.ready());
  EXPECT_THAT(engine.why_not_ready().value_or(""), testing::HasSubstr("journal"));
  disk.fail_at(0, 0, "");
  for (int i = 0; i < 6000 && !engine.ready(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(engine.ready());
  EXPECT_EQ(run.wires.offer("lab", {oru(2, "P0")})[0].disposition, Disposition::accepted);
  engine.store().catch_up();
  engine.stop();
  EXPECT_EQ(engine.ready(), false);
}

}  // namespace
}  // namespace cannula::pipeline
