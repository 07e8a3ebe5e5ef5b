// Retention on a disk that may do anything a disk may do, at every operation of a run, while
// messages come in: what was acknowledged and is not due is there, whole; what was forgotten stays
// so; the index is what a new one would be; and the next run finishes what was begun.
#include <atomic>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/transport/wall_clock.h"
#include "engine/store/retention.h"
#include "tests/faults/store_faulty_file_system.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using Unsynced = FaultyFileSystem::Unsynced;

constexpr Timestamp kHour = 3'600'000'000;
const Timestamp kNow = now_microseconds() + 100 * kHour;

class RetentionCrashTest : public StoreFixture {
 protected:
  Options options_on(FileSystem& disk) const {
    Options options;
    options.directory = directory();
    options.file_system = &disk;
    options.segment_size = 6000;
    options.zero_ahead = 0;
    options.keys = keys();
    return options;
  }

  struct Kept {
    MessageId id;
    std::string body;
  };
  // What is to be there whatever happens.
  struct Known {
    std::vector<Kept> kept;
    std::vector<MessageId> due;       // all of them
    std::vector<MessageId> stripped;  // their bodies are due
    int count = 0;                    // the last value of the script's state
    std::uint64_t misses = 0;
  };

  // Channel "lab" forgets, "adt" forgets bodies, "waiting" has what is not at its end.
  static PruneOrder order() {
    PruneOrder order;
    order.now = kNow;
    order.keep = [](const std::string& channel, MessageState) {
      return channel == "lab" ? Keep{kHour, {}} : Keep{{}, kHour};
    };
    return order;
  }

  static void fill(Store& store, Known& known) {
    for (unsigned i = 0; i < 8; ++i) {
      const auto taken =
          commit(store, {accepted("lab", noise(i, 700)), accepted("adt", noise(100 + i, 700)),
                         accepted("waiting", noise(200 + i, 300))});
      Outcome worked = outcome(taken[0].id, "lab", MessageState::queued, {"ehr"});
      worked.state_writes = {{"count", std::to_string(++known.count)}};
      worked.misses = {{"units", "mg", "milligrams"}};
      ++known.misses;
      worked.search_keys = {7};
      Outcome second = outcome(taken[1].id, "adt", MessageState::queued, {"ehr"});
      second.search_keys = {8};
      commit(store,
             {worked, attempt(taken[0].id, "lab", 1, "ehr", DeliveryState::delivered), second});
      commit(store, {attempt(taken[1].id, "adt", 1, "ehr", DeliveryState::delivered)});
      known.due.push_back(taken[0].id);
      known.stripped.push_back(taken[1].id);
      known.kept.push_back({taken[2].id, noise(200 + i, 300)});
    }
  }

  void expect_as_known(const Store& store, const Known& known) const {
    for (const Kept& one : known.kept) {
      const auto trail = store.trail(one.id);
      ASSERT_TRUE(trail) << trail.error().text();
      ASSERT_FALSE(trail->empty()) << one.id.text();
      ASSERT_EQ(*std::get<Accepted>(trail->front()).body, one.body);
    }
    for (const MessageId id : known.stripped) {
      const auto trail = store.trail(id);
      ASSERT_TRUE(trail) << trail.error().text();
      ASSERT_EQ(trail->size(), 3u);
    }
    const auto state = value(store.script_state("lab"));
    ASSERT_EQ(state.size(), 1u);
    ASSERT_EQ(*state[0].value, std::to_string(known.count));
    const auto unmapped = value(store.unmapped("", 10));
    ASSERT_EQ(unmapped.size(), 1u);
    ASSERT_EQ(unmapped[0].count, known.misses);
  }

  void expect_sound(FileSystem& disk) const {
    const auto found = check(directory(), &disk, keys());
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(render(found->damage), "");
    EXPECT_TRUE(found->index_compared);
  }

  // A run, with messages coming in all the while. True: it came to its end.
  static bool prune_under_load(Store& store, Known& known) {
    std::atomic<bool> ended{false};
    std::thread load([&] {
      for (unsigned i = 0; !ended && i < 40; ++i) {
        auto taken = store.commit({accepted("waiting", noise(1000 + i, 500))});
        if (taken) known.kept.push_back({taken->front().id, noise(1000 + i, 500)});
      }
    });
    const auto report = store.prune(order());
    ended = true;
    load.join();
    return report.has_value();
  }

  // False: the run ended before operation `at` after its beginning.
  bool crash_and_verify(std::uint64_t at, Unsynced unsynced, std::uint64_t seed) {
    FaultyFileSystem disk(seed);
    Known known;
    {
      const auto store = open(options_on(disk));
      fill(*store, known);
      store->catch_up();
      disk.crash_at(disk.operations() + at);
      prune_under_load(*store, known);
    }
    const bool crashed = disk.crashed();
    disk.restart(unsynced);
    {
      const auto store = open(options_on(disk));
      EXPECT_EQ(render(store->recovery().damage), "");
      expect_as_known(*store, known);
    }
    expect_sound(disk);
    // From the journal alone, then to the end, then from the journal alone once more.
    std::filesystem::remove(directory() / "index.db");
    {
      const auto store = open(options_on(disk));
      expect_as_known(*store, known);
      const auto report = store->prune(order());
      EXPECT_TRUE(report) << report.error().text();
      expect_as_known(*store, known);
      for (const MessageId id : known.due) EXPECT_EQ(value(store->message(id)), std::nullopt);
      for (const MessageId id : known.stripped) EXPECT_EQ(row(*store, id).bodies_removed, kNow);
      EXPECT_EQ(value(store->owed()).messages, 0u);
    }
    expect_sound(disk);
    std::filesystem::remove(directory() / "index.db");
    {
      const auto store = open(options_on(disk));
      expect_as_known(*store, known);
    }
    std::filesystem::remove_all(directory());
    return crashed;
  }
};

TEST_F(RetentionCrashTest, nothing_is_lost_when_the_power_goes_during_a_run) {
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::torn}) {
    std::uint64_t at = 1;
    while (!HasFailure() && crash_and_verify(at, unsynced, 31 * at)) ++at;
    ASSERT_FALSE(HasFailure()) << "operation " << at;
    EXPECT_GT(at, 40u) << "the run has become too short";
  }
}

TEST_F(RetentionCrashTest, nothing_is_lost_when_the_disk_fails_during_a_run) {
  for (const char* code : {"J103", "J104"}) {
    for (std::uint64_t at = 1; at < 80 && !HasFailure(); at += 3) {
      FaultyFileSystem disk(at);
      Known known;
      {
        const auto store = open(options_on(disk));
        fill(*store, known);
        store->catch_up();
        disk.fail_at(disk.operations() + at, 2, code);
        prune_under_load(*store, known);
        disk.fail_at(0, 0, "");
        store->catch_up();
        expect_as_known(*store, known);
        const auto report = store->prune(order());
        EXPECT_TRUE(report) << report.error().text();
        expect_as_known(*store, known);
        EXPECT_EQ(value(store->owed()).messages, 0u);
      }
      expect_sound(disk);
      std::filesystem::remove_all(directory());
      ASSERT_FALSE(HasFailure()) << code << " at operation " << at;
    }
  }
}

}  // namespace
}  // namespace cannula::store
