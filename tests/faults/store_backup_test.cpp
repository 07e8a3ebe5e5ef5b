// Backups onto a disk that may do anything a disk may do, at every operation, and restores onto
// such a disk: the backup before or the new one is whole, and a restored store is all there or is
// no store.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/transport/wall_clock.h"
#include "engine/store/backup.h"
#include "engine/store/backup_check.h"
#include "engine/store/restore.h"
#include "engine/store/retention.h"
#include "tests/faults/store_faulty_file_system.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;
using Unsynced = FaultyFileSystem::Unsynced;

constexpr Timestamp kHour = 3'600'000'000;

class BackupCrashTest : public StoreFixture {
 protected:
  fs::path state() const { return directory() / "state"; }

  Options options() const override {
    fs::create_directories(state());
    Options options;
    options.directory = state();
    options.segment_size = 6000;
    options.zero_ahead = 0;
    options.keys = value(security::KeyRing::open({state(), master()}));
    return options;
  }

  BackupOptions asked(FileSystem& disk) const {
    BackupOptions options;
    options.store = state();
    options.folder = "/backup";
    options.folder_files = &disk;
    options.end = [this] { return end_at_rest(state()); };
    return options;
  }

  static void fill(Store& store, unsigned count, unsigned seed) {
    for (unsigned i = 0; i < count; ++i) {
      const MessageId id = commit(store, {accepted("lab", noise(seed + i, 900))}).front().id;
      commit(store, {outcome(id, "lab", MessageState::filtered)});
    }
  }
  static void prune(Store& store) {
    PruneOrder order;
    order.now = now_microseconds() + 100 * kHour;
    order.keep = [](const std::string&, MessageState) { return Keep{{}, kHour}; };
    value(store.prune(order));
  }

  // A backup, then another with segments that are new and that were packed. The disk has the
  // first; the store is as it is for the second.
  BackupManifest first_backup(FaultyFileSystem& disk) {
    const auto store = open();
    fill(*store, 12, 0);
    store->close();
    return value(back_up(asked(disk))).manifest;
  }
  void go_on() {
    const auto store = open();
    fill(*store, 6, 100);
    prune(*store);
    store->close();
  }

  void expect_whole(FileSystem& disk, Position first, Position second) {
    const auto check = check_backup("/backup", &disk);
    ASSERT_TRUE(check) << check.error().text();
    EXPECT_EQ(render(check->damage), "");
    EXPECT_TRUE(check->manifest.end == first || check->manifest.end == second);
  }
};

TEST_F(BackupCrashTest, the_backup_before_or_the_new_one_is_whole_wherever_the_power_goes) {
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::torn}) {
    std::uint64_t at = 1;
    for (bool crashed = true; crashed && !HasFailure(); ++at) {
      fs::remove_all(state());
      FaultyFileSystem disk(17 * at);
      const Position first = first_backup(disk).end;
      go_on();
      disk.crash_at(disk.operations() + at);
      const bool done = back_up(asked(disk)).has_value();
      crashed = disk.crashed();
      disk.restart(unsynced);
      const Position second = value(end_at_rest(state()));
      expect_whole(disk, first, second);
      if (done) {
        EXPECT_EQ(value(check_backup("/backup", &disk)).manifest.end, second);
      }
      // The next one is as good as any.
      const auto again = back_up(asked(disk));
      ASSERT_TRUE(again) << again.error().text();
      expect_whole(disk, second, second);
      ASSERT_FALSE(HasFailure()) << "operation " << at;
    }
    EXPECT_GT(at, 30u) << "the backup has become too short";
  }
}

TEST_F(BackupCrashTest, a_first_backup_that_was_ended_is_none_and_the_next_one_is) {
  std::uint64_t at = 1;
  {
    const auto store = open();
    fill(*store, 12, 0);
    store->close();
  }
  for (bool crashed = true; crashed && !HasFailure(); ++at) {
    FaultyFileSystem disk(at);
    disk.crash_at(at);
    static_cast<void>(back_up(asked(disk)).has_value());
    crashed = disk.crashed();
    disk.restart(Unsynced::torn);
    if (is_backup("/backup", &disk)) {
      const auto check = check_backup("/backup", &disk);
      ASSERT_TRUE(check) << check.error().text();
      EXPECT_EQ(render(check->damage), "");
    }
    const auto again = back_up(asked(disk));
    ASSERT_TRUE(again) << again.error().text() << " after operation " << at;
  }
  EXPECT_GT(at, 15u);
}

TEST_F(BackupCrashTest, a_disk_that_is_full_or_fails_leaves_the_backup_before) {
  for (const char* code : {"J103", "J104"}) {
    bool failed = true;
    for (std::uint64_t at = 1; failed && at < 200 && !HasFailure(); ++at) {
      fs::remove_all(state());
      FaultyFileSystem disk(at);
      const Position first = first_backup(disk).end;
      go_on();
      disk.fail_at(disk.operations() + at, 1000, code);
      const auto done = back_up(asked(disk));
      failed = !done;
      EXPECT_EQ(done ? code : done.error().code, code);
      disk.fail_at(0, 0, "");
      const Position second = value(end_at_rest(state()));
      expect_whole(disk, first, second);
      const auto again = back_up(asked(disk));
      ASSERT_TRUE(again) << again.error().text();
      expect_whole(disk, second, second);
      ASSERT_FALSE(HasFailure()) << code << " at operation " << at;
    }
  }
}

TEST_F(BackupCrashTest, a_restore_is_whole_or_no_store_wherever_the_power_goes) {
  FaultyFileSystem backup;
  const Position end = first_backup(backup).end;
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::torn}) {
    std::uint64_t at = 1;
    for (bool crashed = true; crashed && !HasFailure(); ++at) {
      FaultyFileSystem disk(31 * at);
      RestoreOptions options;
      options.backup = "/backup";
      options.backup_files = &backup;
      options.store = "/restored";
      options.store_files = &disk;
      disk.crash_at(at);
      const bool done = restore(options).has_value();
      crashed = disk.crashed();
      disk.restart(unsynced);
      const bool finished = no_restore_is_unfinished(disk, "/restored").has_value();
      EXPECT_TRUE(finished || !done);
      if (finished && !value(disk.list("/restored/journal")).empty()) {
        const auto found = check("/restored", &disk);
        ASSERT_TRUE(found) << found.error().text();
        EXPECT_EQ(render(found->damage), "");
        EXPECT_EQ(found->end, end);
        continue;
      }
      const auto again = restore(options);
      ASSERT_TRUE(again) << again.error().text() << " after operation " << at;
      EXPECT_EQ(render(again->damage), "");
    }
    EXPECT_GT(at, 20u);
  }
}

}  // namespace
}  // namespace cannula::store
