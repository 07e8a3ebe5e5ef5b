#include "engine/store/restore.h"

#include <gmock/gmock.h>

#include "tests/unit/engine/store/backup_fixture.h"

namespace cannula::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(BackupTest, a_damaged_backup_is_restored_only_when_asked_for) {
  const auto store = open();
  fill(*store, 40);
  backed_up(store.get());
  flip_a_byte(stored(path_of_first_segment()), 1000);
  RestoreOptions options = to_restore();
  const auto refused = restore(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J208");
  for (const auto& left : fs::recursive_directory_iterator(restored())) {
    EXPECT_EQ(left.path().filename(), "lock");
  }
  options.even_damaged = true;
  const RestoreReport report = value(restore(options));
  EXPECT_EQ(report.damage.size(), 2u);
  EXPECT_EQ(report.records, 119u);

  // Without keys there is nothing to be read.
  fs::remove_all(restored());
  flip_a_byte(stored("keys"), 20);
  const auto without = restore(options);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, "J208");
}

TEST_F(BackupTest, nothing_is_restored_over_a_store) {
  const auto store = open();
  fill(*store, 3);
  backed_up(store.get());
  RestoreOptions options = to_restore();
  options.store = state();
  const auto refused = restore(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J115");
  fs::create_directories(restored());
  write(restored() / "notes.txt", "mine");
  EXPECT_EQ(restore(to_restore()).error().code, "J115");
  EXPECT_EQ(content(restored() / "notes.txt"), "mine");
  fs::remove(restored() / "notes.txt");
  write(restored() / "master.key", "secret");
  options = to_restore();
  EXPECT_EQ(restore(options).error().code, "J115");
  options.may_be_there = {"master.key"};
  EXPECT_TRUE(restore(options));
  EXPECT_EQ(content(restored() / "master.key"), "secret");
}

TEST_F(BackupTest, what_a_restore_left_unfinished_is_not_opened_and_begun_anew) {
  std::vector<MessageId> ids;
  {
    const auto store = open();
    ids = fill(*store, 5);
    backed_up(store.get());
  }
  fs::create_directories(restored() / "journal");
  write(restored() / "restore-unfinished", "");
  write(restored() / "journal" / "00000000000000000009.seg", "of another backup");
  const auto opened = Store::open(options_of(restored()));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "J116");
  EXPECT_EQ(check(restored()).error().code, "J116");
  value(restore(to_restore()));
  expect_bodies(restored(), ids);
}

TEST_F(BackupTest, an_act_that_is_refused_at_the_end_leaves_nothing_restored) {
  {
    const auto store = open();
    fill(*store, 3);
    backed_up(store.get());
  }
  RestoreOptions options = to_restore();
  options.before_it_counts = []() -> Result<void> { return Error{"A101", "no trail", ""}; };
  EXPECT_EQ(restore(options).error().code, "A101");
  options.before_it_counts = nullptr;
  EXPECT_TRUE(restore(options));
}

TEST_F(BackupTest, what_was_shredded_since_stays_so_with_the_newer_keys) {
  std::vector<MessageId> gone, kept;
  {
    const auto store = open();
    gone = fill(*store, 3, "left");
    kept = fill(*store, 3, "lab");
    backed_up(store.get());
  }
  value(security::KeyRing::shred({state(), master()}, "left", "a.analyst", "the agreement ended"));
  RestoreOptions options = to_restore();
  options.keys = content(state() / "keys");
  value(restore(options));
  {
    const auto store = open(options_of(restored()));
    for (const MessageId id : gone) EXPECT_EQ(value(store->message(id)), std::nullopt);
    for (const MessageId id : kept) EXPECT_TRUE(value(store->message(id)));
  }
  // The next backup into the folder does not have the key any more either, nor its bytes.
  const std::string old_name = stored("keys").filename().string();
  backed_up();
  EXPECT_FALSE(fs::exists(folder() / old_name));
  EXPECT_THAT(content(stored("keys")), HasSubstr("the agreement ended"));

  fs::remove_all(restored());
  options.keys = "no keys";
  EXPECT_EQ(restore(options).error().code, "K105");
}

TEST_F(BackupTest, a_store_that_was_restored_can_be_backed_up_into_the_same_folder) {
  {
    const auto store = open();
    fill(*store, 20);
    backed_up(store.get());
    fill(*store, 20, "lab", 20);  // lost with the store
  }
  value(restore(to_restore()));
  fs::remove_all(state());
  fs::rename(restored(), state());
  std::vector<MessageId> ids;
  {
    const auto store = open();
    ids = fill(*store, 20, "lab", 700);  // at positions where others stood
    backed_up(store.get());
  }
  EXPECT_THAT(codes_of_check(), IsEmpty());
  value(restore(to_restore()));
  expect_bodies(restored(), ids, 700);
}

TEST_F(BackupTest, a_restore_begun_anew_leaves_alone_what_is_not_of_a_restore) {
  {
    const auto store = open();
    fill(*store, 5);
    backed_up(store.get());
  }
  const fs::path elsewhere = directory() / "elsewhere";
  fs::create_directories(elsewhere);
  write(elsewhere / "00000000000000000009.seg", "precious");
  fs::create_directories(restored());
  write(restored() / "restore-unfinished", "");
  write(restored() / "pin", "mine");
  EXPECT_EQ(restore(to_restore()).error().code, "J115");
  EXPECT_EQ(content(restored() / "pin"), "mine");
  fs::remove(restored() / "pin");
  fs::create_directory_symlink(elsewhere, restored() / "journal");
  EXPECT_EQ(restore(to_restore()).error().code, "J115");
  EXPECT_EQ(content(elsewhere / "00000000000000000009.seg"), "precious");
  fs::remove(restored() / "journal");
  fs::create_directories(restored() / "journal");
  write(restored() / "journal" / "notes.txt", "mine");
  EXPECT_EQ(restore(to_restore()).error().code, "J115");
  EXPECT_EQ(content(restored() / "journal" / "notes.txt"), "mine");
  fs::remove(restored() / "journal" / "notes.txt");
  EXPECT_TRUE(restore(to_restore()));
}

// As when two are started at once: one is through before the other has the lock.
TEST_F(BackupTest, a_restore_that_was_late_does_not_take_away_what_another_put_there) {
  std::vector<MessageId> ids;
  {
    const auto store = open();
    ids = fill(*store, 5);
    backed_up(store.get());
  }
  fs::copy(folder(), directory() / "copy", fs::copy_options::recursive);
  RestoreOptions options = to_restore();
  std::optional<Error> second;
  options.before_it_counts = [&]() -> Result<void> {
    RestoreOptions of_a_copy = to_restore();
    of_a_copy.backup = directory() / "copy";
    const auto late = restore(of_a_copy);
    if (!late) second = late.error();
    return {};
  };
  value(restore(options));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->code, "J101");
  EXPECT_EQ(restore(to_restore()).error().code, "J115");
  expect_bodies(restored(), ids);
}

TEST_F(BackupTest, nothing_is_read_through_a_link_in_the_place_of_its_journal) {
  const auto store = open();
  commit(*store, {accepted("lab")});
  value(back_up(asked(store.get())));
  fs::rename(folder() / "journal", directory() / "elsewhere");
  fs::create_directory_symlink(directory() / "elsewhere", folder() / "journal");
  EXPECT_EQ(check_backup(folder()).error().code, "J114");
  EXPECT_EQ(restore(to_restore()).error().code, "J114");
}

TEST_F(BackupTest, where_there_is_no_backup_it_is_said) {
  EXPECT_EQ(check_backup(folder()).error().code, "J209");
  EXPECT_EQ(restore(to_restore()).error().code, "J209");
  EXPECT_FALSE(fs::exists(folder()));
}

}  // namespace
}  // namespace cannula::store
