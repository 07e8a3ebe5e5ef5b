#include "engine/store/backup.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/engine/store/backup_fixture.h"

namespace cannula::store {
namespace {

using testing::IsEmpty;

TEST_F(BackupTest, what_was_acknowledged_before_is_there_after_a_restore) {
  std::vector<MessageId> ids;
  {
    const auto store = open();
    ids = fill(*store, 40);
    write(state() / "holds.jsonl", "one\ntwo\nhalf a li");
    write(state() / "audit-head.json", "the head");
    fs::create_directories(state() / "audit");
    write(state() / "audit" / "000000000001.log", "1\n");
    write(state() / "audit" / "000000000002.log", "2\n3\ntorn");
    write(state() / "master.key", "secret");
    const BackupReport report = backed_up(store.get());
    EXPECT_EQ(render(report.damage), "");
    EXPECT_EQ(report.manifest.number, 1u);
    EXPECT_EQ(report.manifest.site, "riverside");
    EXPECT_EQ(report.manifest.end, store->end());
    EXPECT_NE(report.manifest.keys, 0u);
    EXPECT_GT(report.segments, 3u);
    fill(*store, 5);  // after the backup: not in it
  }
  const BackupCheck check = value(check_backup(folder()));
  EXPECT_EQ(render(check.damage), "");
  EXPECT_EQ(check.records, 120u);
  EXPECT_FALSE(check.manifest.find("master.key"));
  EXPECT_FALSE(check.manifest.find("index.db"));

  const RestoreReport report = value(restore(to_restore()));
  EXPECT_EQ(render(report.damage), "");
  EXPECT_EQ(report.records, 120u);
  EXPECT_EQ(content(restored() / "holds.jsonl"), "one\ntwo\n");
  EXPECT_EQ(content(restored() / "audit-head.json"), "the head");
  EXPECT_EQ(content(restored() / "audit" / "000000000002.log"), "2\n3\n");
  EXPECT_EQ(content(restored() / "keys"), content(restored() / "keys.copy"));
  expect_bodies(restored(), ids);
  EXPECT_EQ(value(open(options_of(restored()))->counts()).size(), 2u);
}

TEST_F(BackupTest, only_what_is_new_is_copied_again) {
  const auto store = open();
  fill(*store, 40);
  const BackupReport first = backed_up(store.get());
  fill(*store, 2);
  const BackupReport second = backed_up(store.get());
  EXPECT_EQ(second.manifest.number, 2u);
  EXPECT_GT(first.files_copied, 4u);
  EXPECT_LE(second.files_copied, 2u);  // the last segment, and one that may have been begun
  EXPECT_LT(second.bytes_copied, first.bytes_copied / 2);
  const BackupReport third = backed_up(store.get());
  EXPECT_EQ(third.files_copied, 0u);
  EXPECT_THAT(codes_of_check(), IsEmpty());
  // What the newest manifest does not name is gone.
  std::size_t stored_files = 0;
  for (const auto& file : fs::recursive_directory_iterator(folder())) {
    if (file.is_regular_file()) ++stored_files;
  }
  EXPECT_EQ(stored_files, third.manifest.files.size() + 1);  // the manifest
}

TEST_F(BackupTest, a_segment_that_retention_packed_is_copied_anew_and_what_it_forgot_goes) {
  const auto store = open();
  fill(*store, 30);
  const auto kept = fill(*store, 10, "adt", 500);
  backed_up(store.get());
  prune(*store);
  const BackupReport report = backed_up(store.get());
  EXPECT_EQ(render(report.damage), "");
  EXPECT_TRUE(report.manifest.find("journal/pruned"));
  EXPECT_THAT(codes_of_check(), IsEmpty());
  std::uint64_t bytes = 0;
  for (const auto& file : fs::recursive_directory_iterator(folder())) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  EXPECT_LT(bytes, 40u * 1500u);
  value(restore(to_restore()));
  expect_bodies(restored(), kept, 500);
  const auto again = open(options_of(restored()));
  const auto state = value(again->script_state("lab"));  // by its ledger
  ASSERT_EQ(state.size(), 1u);
  EXPECT_EQ(*state[0].value, "29");
}

// The segments that are being copied are replaced, and `pruned` names ledgers behind the end that
// the copying was begun with.
TEST_F(BackupTest, retention_that_is_at_work_during_the_copying_is_noticed) {
  const auto store = open();
  fill(*store, 30);
  const auto kept = fill(*store, 10, "adt", 500);
  BackupOptions options = asked(store.get());
  bool pruned = false;
  options.on_progress = [&](std::uint64_t, std::uint64_t) {
    if (!std::exchange(pruned, true)) prune(*store);
  };
  const BackupReport report = value(back_up(options));
  EXPECT_TRUE(pruned);
  EXPECT_EQ(render(report.damage), "");
  EXPECT_TRUE(report.manifest.find("journal/pruned"));
  EXPECT_THAT(codes_of_check(), IsEmpty());
  value(restore(to_restore()));
  expect_bodies(restored(), kept, 500);
  const auto state = value(open(options_of(restored()))->script_state("lab"));
  ASSERT_EQ(state.size(), 1u);
  EXPECT_EQ(*state[0].value, "29");
}

TEST_F(BackupTest, it_goes_on_beside_intake_and_retention) {
  const auto store = open();
  std::vector<MessageId> kept;
  std::atomic<bool> ended{false};
  std::thread load([&] {
    for (unsigned i = 0; !ended; ++i) {
      fill(*store, 5, "lab", i);
      if (i % 4 == 0) prune(*store);
    }
  });
  for (unsigned i = 0; i < 15; ++i) {
    for (const MessageId id : fill(*store, 2, "adt", 2 * i)) kept.push_back(id);
    const auto report = back_up(asked(store.get()));
    if (!report) {
      EXPECT_EQ(report.error().code, "J207") << report.error().text();
      continue;
    }
    EXPECT_EQ(render(report->damage), "");
    EXPECT_THAT(codes_of_check(), IsEmpty());
  }
  ended = true;
  load.join();
  backed_up(store.get());
  value(restore(to_restore()));
  expect_bodies(restored(), kept);
  const Recovery found =
      value(check(restored(), nullptr, value(security::KeyRing::open({restored(), master()}))));
  EXPECT_EQ(render(found.damage), "");
  EXPECT_TRUE(found.index_compared);
}

TEST_F(BackupTest, what_stands_behind_the_journals_end_is_not_taken) {
  const auto store = open();
  fill(*store, 2);
  BackupOptions options = asked();
  const Position end = store->end();
  options.end = [end]() -> Result<Position> { return end; };
  fill(*store, 20);  // as if it was being written: segments begin behind that end
  const BackupReport report = value(back_up(options));
  EXPECT_EQ(report.manifest.end, end);
  EXPECT_EQ(report.segments, 1u);
  EXPECT_EQ(report.records_read, 6u);
}

TEST_F(BackupTest, a_torn_tail_of_a_store_at_rest_is_not_taken) {
  Position end = 0;
  {
    const auto store = open();
    fill(*store, 3);
    end = store->end();
    store->close();
  }
  const auto segment = state() / "journal" / "00000000000000000001.seg";
  write(segment, content(segment) + std::string(100, 'x'));
  const BackupReport report = backed_up();
  EXPECT_GE(report.manifest.end, end);  // with the mark of closing
  EXPECT_LT(report.manifest.end, end + 100);
  EXPECT_EQ(render(report.damage), "");
  EXPECT_THAT(codes_of_check(), IsEmpty());
}

TEST_F(BackupTest, no_backup_is_made_without_the_keys_that_open_it) {
  {
    const auto store = open();
    fill(*store, 1);
  }
  const std::string keys = content(state() / "keys");
  write(state() / "keys", "torn");  // its twin stands in
  backed_up();
  EXPECT_EQ(content(stored("keys")), keys);
  write(state() / "keys.copy", "torn too");
  const auto refused = back_up(asked());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "K105");
  EXPECT_EQ(content(stored("keys")), keys);
  EXPECT_THAT(codes_of_check(), IsEmpty());
}

TEST_F(BackupTest, a_key_that_goes_is_overwritten_on_the_disk) {
  const auto file = directory() / "keys.1";
  write(file, "secret");
  std::ifstream open_still(file, std::ios::binary);
  ASSERT_TRUE(FileSystem::real().destroy(file));
  EXPECT_FALSE(fs::exists(file));
  const std::string bytes{std::istreambuf_iterator<char>(open_still), {}};
  EXPECT_EQ(bytes, std::string(6, '\0'));
}

}  // namespace
}  // namespace cannula::store
