// The folder that a backup goes into: what is refused, and what in it is left alone.
#include <gmock/gmock.h>

#include "tests/unit/engine/store/backup_fixture.h"

namespace cannula::store {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(BackupTest, a_folder_that_is_not_for_this_backup_is_refused) {
  const auto store = open();
  fill(*store, 1);
  BackupOptions options = asked(store.get());
  for (const fs::path& inside : {state() / "backup", directory()}) {
    options.folder = inside;
    EXPECT_EQ(back_up(options).error().code, "J114") << inside;
  }
  options.folder = folder();
  fs::create_directories(folder());
  write(folder() / "notes.txt", "mine");
  EXPECT_EQ(back_up(options).error().code, "J114");
  fs::remove(folder() / "notes.txt");
  value(back_up(options));

  const auto lock = value(hold_backup(FileSystem::real(), folder()));
  EXPECT_EQ(back_up(options).error().code, "J117");
  EXPECT_EQ(check_backup(folder()).error().code, "J117");
}

TEST_F(BackupTest, another_stores_backup_is_not_replaced) {
  {
    const auto store = open();
    fill(*store, 1);
    backed_up(store.get());
  }
  fs::remove_all(state());
  const auto other = open();
  fill(*other, 1);
  const auto refused = back_up(asked(other.get()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J114");
  EXPECT_THAT(codes_of_check(), IsEmpty());
}

TEST_F(BackupTest, no_link_in_a_backup_leads_to_a_change_elsewhere) {
  const auto store = open();
  fill(*store, 3);
  backed_up(store.get());
  const fs::path precious = directory() / "precious";
  write(precious, "precious");
  fs::create_symlink(precious, folder() / "lock");
  fs::create_symlink(precious, folder() / "keys.99");
  fs::create_symlink(precious, folder() / "manifest.new");
  EXPECT_THAT(codes_of_check(), IsEmpty());
  value(restore(to_restore()));
  fill(*store, 3);
  backed_up(store.get());
  EXPECT_EQ(content(precious), "precious");
  EXPECT_THAT(codes_of_check(), IsEmpty());

  // A link in the place of a file is none, and in the place of a folder is written through by none.
  const fs::path segment = stored(path_of_first_segment());
  fs::rename(segment, directory() / "elsewhere.seg");
  fs::create_symlink(directory() / "elsewhere.seg", segment);
  EXPECT_THAT(codes_of_check(), Contains("J208"));
  fs::rename(folder() / "journal", directory() / "elsewhere");
  fs::create_directory_symlink(directory() / "elsewhere", folder() / "journal");
  EXPECT_EQ(back_up(asked(store.get())).error().code, "J114");
}

TEST_F(BackupTest, a_refused_folder_is_left_as_it_was) {
  const auto store = open();
  fill(*store, 1);
  BackupOptions options = asked(store.get());
  options.folder = directory() / "shared";
  fs::create_directories(options.folder / "audit");
  fs::permissions(options.folder, fs::perms::all | fs::perms::sticky_bit);
  write(options.folder / "audit" / "audit.log.1", "the kernel's");
  const auto refused = back_up(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J114");
  EXPECT_THAT(refused.error().message, HasSubstr("audit/audit.log.1"));
  EXPECT_EQ(fs::status(options.folder).permissions(), fs::perms::all | fs::perms::sticky_bit);
  EXPECT_FALSE(fs::exists(options.folder / "lock"));
  EXPECT_FALSE(fs::exists(options.folder / "journal"));
  EXPECT_EQ(content(options.folder / "audit" / "audit.log.1"), "the kernel's");

  write(directory() / "site.toml", "");
  options.folder = directory() / "site.toml";
  EXPECT_EQ(back_up(options).error().code, "J114");
}

TEST_F(BackupTest, only_files_of_a_backup_are_removed_from_its_folder) {
  const auto store = open();
  fill(*store, 1);
  backed_up(store.get());
  fs::create_directories(folder() / "audit");
  const fs::path mine[] = {folder() / "cron.log.1", folder() / "audit" / "audit.log.1",
                           folder() / "journal" / "notes.2"};
  for (const fs::path& path : mine) write(path, "mine");
  write(folder() / "journal" / "00000000000000000099.seg.7", "of a backup that was ended");
  fill(*store, 1);
  backed_up(store.get());
  for (const fs::path& path : mine) EXPECT_EQ(content(path), "mine") << path;
  EXPECT_FALSE(fs::exists(folder() / "journal" / "00000000000000000099.seg.7"));
}

TEST_F(BackupTest, where_a_disk_is_not_mounted_no_folder_is_made_for_it) {
  const auto store = open();
  fill(*store, 1);
  BackupOptions options = asked(store.get());
  options.folder = directory() / "mnt" / "not" / "mounted";
  const auto refused = back_up(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J114");
  EXPECT_THAT(refused.error().hint, HasSubstr("mounted"));
  EXPECT_FALSE(fs::exists(directory() / "mnt"));
}

}  // namespace
}  // namespace cannula::store
