// What cannot be read back from the store waits, where nothing is wrong with it, and is dead where
// it is damaged.
#include <fstream>
#include <iterator>

#include "engine/store/frame.h"
#include "engine/store/segment.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::uint8_t kFormatToCome = 200;

class UnreadableTest : public EngineTest {
 protected:
  std::filesystem::path state() const { return folder_.path() / "state"; }

  // -- The file of keys
  std::string ring() const {
    std::ifstream file(state() / "keys", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put_ring(const std::string& ring) const {
    for (const char* name : {"keys", "keys.copy"}) {
      std::ofstream(state() / name, std::ios::binary) << ring;
    }
  }
  // As the store makes it, before any channel has a key.
  std::string ring_without_keys() {
    start(site(kRelay))->stop();
    return ring();
  }

  // -- Records in the first segment
  void change(store::Position position, const std::function<void(char*, std::uint64_t)>& edit) {
    const auto path =
        store::journal_directory(state()) / store::segment_name(store::kFirstPosition);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::string header(store::kSegmentHeaderSize, '\0');
    file.read(header.data(), static_cast<std::streamsize>(header.size()));
    const auto place =
        static_cast<std::streamoff>(store::kSegmentHeaderSize + position - store::kFirstPosition);
    std::string frame(store::kFrameHeaderSize, '\0');
    file.seekg(place).read(frame.data(), store::kFrameHeaderSize);
    frame.resize(store::read_frame_header(frame.data()).size());
    file.seekg(place).read(frame.data(), static_cast<std::streamsize>(frame.size()));
    edit(frame.data(), store::SegmentHeader::parse(header)->identity);
    file.seekp(place).write(frame.data(), static_cast<std::streamsize>(frame.size()));
    ASSERT_TRUE(file.flush().good());
  }
  // As if a newer Cannula had written it, or as it is.
  void set_format(store::Position position, std::uint8_t format) {
    change(position, [&](char* frame, std::uint64_t identity) {
      constexpr std::size_t kFormatAt = 12;
      frame[kFormatAt] = static_cast<char>(format);
      const auto header = store::read_frame_header(frame);
      store::seal_frame(frame, identity, position, position - header.batch_offset);
    });
  }
  void damage(store::Position position) {
    change(position, [](char* frame, std::uint64_t) { frame[store::kFrameHeaderSize + 40] ^= 1; });
  }

  static bool paused(const Engine& engine) {
    bool paused = false;
    engine.each_channel([&](const ChannelView& view) { paused = view.channel.paused(); });
    return paused;
  }
  static void wait_until_paused(const Engine& engine) {
    for (int i = 0; i < 6000 && !paused(engine); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(paused(engine));
  }
  // How many messages or deliveries of the channel stand in this state.
  static std::uint64_t count(Engine& engine, const std::string& destination,
                             const std::string& state) {
    engine.store().catch_up();
    std::uint64_t count = 0;
    for (const store::StateCount& one : engine.store().counts().value()) {
      if (one.destination == destination && one.state == state) count += one.count;
    }
    return count;
  }
};

TEST_F(UnreadableTest, WithoutItsKeyAMessageStopsTheWorkAndGoesOnWithIt) {
  const std::string older = ring_without_keys();
  auto engine = start(site(kRelay));
  ASSERT_TRUE(engine->pause("lab", "work", true, "ina", "a restore"));
  wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  engine->stop();
  const std::string newer = ring();
  ASSERT_NE(newer, older);

  put_ring(older);
  engine = start(site(kRelay));
  ASSERT_TRUE(engine->pause("lab", "work", false, "ina", "restored"));
  wait_until_paused(*engine);
  EXPECT_EQ(count(*engine, "", "accepted"), 2u);
  EXPECT_EQ(wires_.delivered_count(), 0u);
  engine->stop();

  put_ring(newer);
  engine = start(site(kRelay));
  const auto sent = wires_.delivered(2);
  EXPECT_THAT(sent[0].payload, HasSubstr("|N1|"));
  EXPECT_THAT(sent[1].payload, HasSubstr("|N2|"));
}

TEST_F(UnreadableTest, AMessageOfANewerFormatStopsTheWorkUntilItCanBeRead) {
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  const auto row = wait_for(*engine, id, store::MessageState::done);
  set_format(row.accepted_at_position, kFormatToCome);
  ASSERT_TRUE(engine->resend(id, 0, "ina", "once more"));
  wait_until_paused(*engine);
  EXPECT_EQ(wait_for(*engine, id, store::MessageState::accepted).code, "");
  engine->each_channel([&](const ChannelView& view) {
    EXPECT_THAT(view.channel.why_paused(), HasSubstr("message " + id.text() + " cannot be read"));
    EXPECT_THAT(view.channel.why_paused(), HasSubstr("use that version"));
  });
  wires_.offer("lab", {oru(2, "B")});
  EXPECT_EQ(wires_.delivered_count(), 1u) << "nothing overtakes it";

  ASSERT_TRUE(engine->pause("lab", "work", false, "ina", "not yet mended"));
  wait_until_paused(*engine);
  set_format(row.accepted_at_position, store::kSealedFormat);
  ASSERT_TRUE(engine->pause("lab", "work", false, "ina", "mended"));
  EXPECT_THAT(wires_.delivered(3), SizeIs(3));
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(UnreadableTest, WhatCannotBeReadYetMayBeDiscardedSoThatTheOthersGoOn) {
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  set_format(wait_for(*engine, id, store::MessageState::done).accepted_at_position, kFormatToCome);
  ASSERT_TRUE(engine->resend(id, 0, "ina", "once more"));
  wait_until_paused(*engine);
  ASSERT_TRUE(engine->discard(id, 0, "ina", "the others have to go on"));
  ASSERT_TRUE(engine->pause("lab", "work", false, "ina", "discarded"));
  wires_.offer("lab", {oru(2, "B")});
  EXPECT_THAT(wires_.delivered(2)[1].payload, HasSubstr("|N2|"));
  engine->each_channel([](const ChannelView& view) { EXPECT_EQ(view.channel.why_paused(), ""); });
}

TEST_F(UnreadableTest, ADamagedMessageIsDeadAndTheOthersGoOn) {
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  damage(wait_for(*engine, id, store::MessageState::done).accepted_at_position);
  ASSERT_TRUE(engine->resend(id, 0, "ina", "once more"));
  EXPECT_EQ(wait_for(*engine, id, store::MessageState::dead).code, "P301");
  wires_.offer("lab", {oru(2, "B")});
  wires_.delivered(2);
  EXPECT_FALSE(paused(*engine));
}

// N1 is refused and holds the key of N2, whose payload then leaves memory.
class UnreadableDeliveryTest : public UnreadableTest {
 protected:
  void SetUp() override {
    wires_.answer = [](const Parcel& parcel, int) {
      const bool refused = parcel.payload->find("|N1|") != std::string::npos;
      return Answer{refused ? Answer::Kind::refused : Answer::Kind::delivered,
                    nullptr,
                    Error{"M1", "no"},
                    {}};
    };
    auto held = site(kRelay);
    held->channels["lab"].order.on_hold = config::OrderConfig::OnHold::hold_key;
    // What fails is given up at once.
    held->channels["lab"].destinations[0].retry.give_up_after = std::chrono::milliseconds(0);
    engine_ = start(held);
    first_ = wires_.offer("lab", {oru(1, "A")})[0].id;
    wait_for(*engine_, first_, store::MessageState::dead);
    second_ =
        wait_for(*engine_, wires_.offer("lab", {oru(2, "A")})[0].id, store::MessageState::queued);
  }
  void let_the_key_go() { ASSERT_TRUE(engine_->discard(first_, 0, "ina", "not needed")); }

  std::unique_ptr<Engine> engine_;
  MessageId first_;
  store::MessageRow second_;
};

TEST_F(UnreadableDeliveryTest, OfANewerFormatWaitsAndIsNotGivenUp) {
  set_format(second_.accepted_at_position, kFormatToCome);
  let_the_key_go();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(count(*engine_, "ehr", "queued"), 1u);
  engine_->each_channel([](const ChannelView& view) {
    const auto standing = view.channel.destination_named("ehr")->standing();
    EXPECT_EQ(standing.breaker, Breaker::State::closed) << "the other side has done nothing";
  });
  set_format(second_.accepted_at_position, store::kSealedFormat);
  ASSERT_TRUE(engine_->resend(second_.id, 1, "ina", "mended"));
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|N2|"));
  wait_for(*engine_, second_.id, store::MessageState::done);
  EXPECT_EQ(engine_->store().deliveries(second_.id).value()[0].attempts, 1u);
}

TEST_F(UnreadableDeliveryTest, ThatIsDamagedIsGivenUp) {
  damage(second_.accepted_at_position);
  let_the_key_go();
  EXPECT_EQ(wait_for(*engine_, second_.id, store::MessageState::dead).code, "P302");
  const auto reason = engine_->store().deliveries(second_.id).value()[0].reason;
  EXPECT_THAT(reason, HasSubstr("J108"));
}

TEST_F(UnreadableTest, WithoutItsKeyADeliveryWaitsAndGoesOnWithIt) {
  const std::string older = ring_without_keys();
  auto engine = start(site(kRelay));
  ASSERT_TRUE(engine->pause("lab", "to:ehr", true, "ina", "a restore"));
  const auto id = wires_.offer("lab", {oru(1, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::queued);
  engine->stop();
  const std::string newer = ring();

  put_ring(older);
  auto impatient = site(kRelay);
  impatient->channels["lab"].destinations[0].retry.give_up_after = std::chrono::milliseconds(0);
  engine = start(impatient);
  ASSERT_TRUE(engine->pause("lab", "to:ehr", false, "ina", "restored"));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(count(*engine, "ehr", "queued"), 1u);
  engine->stop();

  put_ring(newer);
  engine = start(site(kRelay));
  wires_.delivered(1);
  wait_for(*engine, id, store::MessageState::done);
}

}  // namespace
}  // namespace cannula::pipeline
