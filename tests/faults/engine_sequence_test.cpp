// Sequence numbers (HL7 v2 2.9.1) on a disk that crashes at every one of its operations: the number
// that a sender is told fits what was stored, and what is sent keeps its number over the crash, so
// that everything is worked exactly once on both sides.
#include <gmock/gmock.h>

#include "channels/mllp/outgoing_sequence.h"
#include "engine/pipeline/engine.h"
#include "tests/faults/store_faulty_file_system.h"
#include "tests/unit/engine/pipeline/fake_wires.h"

namespace cannula::pipeline {
namespace {

using store::FaultyFileSystem;

constexpr std::int64_t kMessages = 10;

std::shared_ptr<const config::Site> numbered_site(const std::filesystem::path& folder) {
  auto site = std::make_shared<config::Site>();
  site->root = folder;
  site->store.directory = folder / "state";
  site->engine.workers = 2;
  config::ChannelConfig channel;
  channel.name = "lab";
  channel.source_type = "fake";
  channel.source.set("listen", "lab");
  channel.source.set("sequence", true);
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

std::string numbered(std::int64_t number) {
  return "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101120000+0000||ORU^R01^ORU_R01|N" +
         std::to_string(number) + "|P|2.5.1|" + std::to_string(number) + "\rPID|1||A^^^GEN^MR\r";
}

// The other side of the destination: takes the number that it expects, and survives everything.
struct NumberedPeer {
  std::int64_t taken = 0;
  std::vector<std::string> worked;  // keys of deliveries
  std::map<std::string, std::int64_t> number_of_key;
  int every_third = 0;

  hl7v2::Acknowledgement answer(const std::string& key, std::int64_t number) {
    hl7v2::Acknowledgement said;
    std::int64_t expected = taken + 1;
    if (number > 0) {
      const auto [known, first] = number_of_key.try_emplace(key, number);
      EXPECT_EQ(known->second, number) << "a repetition has another number";
    }
    if (number == taken + 1) {
      expected = ++taken;
      worked.push_back(key);
    } else if (number > 0) {
      said.code = hl7v2::AckCode::AE;
    }
    said.expected_sequence = std::to_string(expected);
    return said;
  }
};

// What channels/mllp does on its wire, without one; every third answer does not come.
boost::asio::awaitable<Remembered> exchange(NumberedPeer& peer, mllp::OutgoingSequence& sequence,
                                            const Parcel& parcel, Memory& memory) {
  using Next = mllp::OutgoingSequence::Next;
  Remembered ended;
  Answer& answer = ended.answer;
  answer.reason = Error("M203", "no answer");
  if (!sequence.recalled()) {
    auto recalled = co_await memory.recall();
    if (!recalled) co_return ended;
    sequence.recall(*recalled);
  }
  if (const auto opening = sequence.opening(parcel.key)) {
    const auto next = sequence.opened(parcel.key, peer.answer(parcel.key, *opening));
    EXPECT_TRUE(next) << next.error().text();
    if (!next) co_return ended;
    if (*next == Next::delivered) {
      answer.kind = Answer::Kind::delivered;
      ended.remember = sequence.memory();
      co_return ended;
    }
  }
  const auto number = sequence.number(parcel.key);
  if (!number.repeated) {
    auto remembered = co_await memory.remember(sequence.memory_of(parcel.key));
    if (!remembered) co_return ended;
    sequence.give(parcel.key);
  }
  const auto said = peer.answer(parcel.key, number.value);
  if (++peer.every_third % 3 == 0) co_return ended;
  const auto next = sequence.answered(number.repeated, said);
  EXPECT_TRUE(next) << next.error().text();
  if (next) answer.kind = Answer::Kind::delivered;
  ended.remember = sequence.memory();
  co_return ended;
}

// MSA-4.
std::optional<std::int64_t> said_number(const Receipt& receipt) {
  return receipt.reply && receipt.reply->ack ? receipt.reply->ack->expected_sequence : std::nullopt;
}

struct NumberedRun {
  TemporaryFolder folder;
  FakeWires wires;
  NumberedPeer peer;
  std::vector<Transport> transports{fake_transport(wires)};
  std::int64_t acknowledged = 0;

  void engine_begins() {
    auto sequence =
        std::make_shared<mllp::OutgoingSequence>(mllp::OutgoingSequence::Start::restart);
    wires.deliver_remembering = [this, sequence](const Parcel& parcel, Memory& memory) {
      return exchange(peer, *sequence, parcel, memory);
    };
  }
  // From `next` on, until all is said or the disk is gone.
  void offer_from(std::int64_t next) {
    for (; next <= kMessages; ++next) {
      const auto receipt = wires.offer("lab", {numbered(next)})[0];
      if (receipt.disposition != Disposition::accepted) return;
      EXPECT_EQ(said_number(receipt), next);
      acknowledged = next;
    }
  }
};

std::vector<std::string> accepted(Engine& engine) {
  engine.store().catch_up();
  std::vector<std::string> ids;
  for (const auto& row : engine.store().messages({}).value()) {
    if (row.code.empty()) ids.push_back(row.control_id);
  }
  return ids;
}

// As the store has it: what the other side has taken may still have to be sent again.
std::int64_t done(Engine& engine) {
  engine.store().catch_up();
  store::MessageQuery query;
  query.state = store::MessageState::done;
  std::int64_t count = 0;
  for (const auto& row : engine.store().messages(query).value()) count += row.code.empty() ? 1 : 0;
  return count;
}

// True when the crash came before the run was over.
bool crash_and_recover(std::uint64_t at, FaultyFileSystem::Unsynced unsynced) {
  NumberedRun run;
  FaultyFileSystem disk(at);
  const auto site = numbered_site(run.folder.path());
  disk.crash_at(at);
  {
    run.engine_begins();
    Engine engine(site, run.transports, &disk);
    if (engine.start().empty()) run.offer_from(1);
    engine.stop(std::chrono::milliseconds(0));
  }
  const bool crashed = disk.crashed();
  disk.restart(unsynced);

  run.engine_begins();
  Engine engine(site, run.transports, &disk);
  const auto findings = engine.start();
  EXPECT_TRUE(findings.empty()) << render(findings);
  const std::size_t stored = accepted(engine).size();
  const auto expected = said_number(run.wires.offer("lab", {numbered(0)})[0]);
  const std::int64_t next = expected == -1 ? 1 : expected.value_or(0);
  EXPECT_EQ(next, static_cast<std::int64_t>(stored) + 1) << "what it says fits what is stored";
  EXPECT_GT(next, run.acknowledged);
  run.offer_from(next);
  for (int i = 0; i < 6000 && done(engine) < kMessages; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(accepted(engine).size(), static_cast<std::size_t>(kMessages));
  engine.stop();
  EXPECT_EQ(run.peer.taken, kMessages);
  EXPECT_EQ(run.peer.worked.size(), static_cast<std::size_t>(kMessages)) << "each exactly once";
  EXPECT_EQ(std::set<std::string>(run.peer.worked.begin(), run.peer.worked.end()).size(),
            run.peer.worked.size());
  return crashed;
}

class SequenceCrash : public testing::TestWithParam<FaultyFileSystem::Unsynced> {};

TEST_P(SequenceCrash, AtEveryDiskOperationNumbersFitWhatIsStoredAndSent) {
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

INSTANTIATE_TEST_SUITE_P(Disks, SequenceCrash,
                         testing::Values(FaultyFileSystem::Unsynced::lost,
                                         FaultyFileSystem::Unsynced::torn),
                         name_of_disk);

}  // namespace
}  // namespace cannula::pipeline
