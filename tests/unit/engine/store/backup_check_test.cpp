// What is found in a backup that was damaged, and what is read of one that is not as it must be.
#include "engine/store/backup_check.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/unit/engine/store/backup_fixture.h"

namespace cannula::store {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(BackupTest, a_flipped_byte_is_found_in_every_kind_of_file) {
  {
    const auto store = open();
    fill(*store, 30);
    const auto kept = fill(*store, 10, "adt", 500);
    prune(*store);
    write(state() / "holds.jsonl", "one\ntwo\n");
    fs::create_directories(state() / "audit");
    write(state() / "audit" / "000000000001.log", "1\n");
  }
  backed_up();
  const auto manifest = value(manifest_of_backup(FileSystem::real(), folder()));
  bool packed = false, plain = false;
  for (const BackupFile& file : manifest.files) {
    packed = packed || file.path.ends_with(".pack");
    plain = plain || file.path.ends_with(".seg");
    const fs::path path = folder() / file.stored_name();
    for (const std::uint64_t at : {std::uint64_t{0}, file.size / 2, file.size - 1}) {
      flip_a_byte(path, at);
      const BackupCheck check = value(check_backup(folder()));
      ASSERT_FALSE(check.damage.empty()) << file.path << " at " << at;
      EXPECT_EQ(check.damage.front().code, "J208");
      EXPECT_THAT(check.damage.front().message, HasSubstr(file.stored_name()));
      flip_a_byte(path, at);
    }
  }
  EXPECT_TRUE(packed && plain);
  EXPECT_THAT(codes_of_check(), IsEmpty());
  for (const std::uint64_t at : {std::uint64_t{10}, content(folder() / "manifest").size() - 2}) {
    flip_a_byte(folder() / "manifest", at);
    const auto check = check_backup(folder());
    ASSERT_FALSE(check);
    EXPECT_EQ(check.error().code, "J209");
    flip_a_byte(folder() / "manifest", at);
  }
}

TEST_F(BackupTest, damage_in_a_segment_is_located) {
  const auto store = open();
  fill(*store, 40);
  backed_up(store.get());
  flip_a_byte(stored(path_of_first_segment()), 1000);
  const BackupCheck check = value(check_backup(folder()));
  ASSERT_EQ(check.damage.size(), 2u);
  EXPECT_EQ(check.damage[0].code, "J208");
  EXPECT_EQ(check.damage[1].code, "J201");
  EXPECT_THAT(check.damage[1].message, HasSubstr("at offset"));
  EXPECT_THAT(check.damage[1].message, HasSubstr("positions"));
}

TEST_F(BackupTest, a_file_that_is_gone_or_short_is_found_and_copied_anew) {
  const auto store = open();
  fill(*store, 40);
  backed_up(store.get());
  const std::string path = path_of_first_segment();
  fs::remove(stored(path));
  fs::resize_file(stored("keys"), 10);
  EXPECT_THAT(codes_of_check(), Contains("J208"));
  const BackupReport report = backed_up(store.get());
  EXPECT_EQ(report.files_copied, 2u);
  EXPECT_THAT(codes_of_check(), IsEmpty());
}

TEST_F(BackupTest, damage_of_the_store_is_told_and_copied) {
  {
    const auto store = open();
    fill(*store, 40);
  }
  flip_a_byte(state() / "journal" / "00000000000000000001.seg", 1000);
  const BackupReport report = backed_up();
  ASSERT_EQ(report.damage.size(), 1u);
  EXPECT_EQ(report.damage[0].code, "J201");
  // The backup is what the store is: it can be restored.
  const RestoreReport back = value(restore(to_restore()));
  ASSERT_EQ(back.damage.size(), 1u);
  EXPECT_EQ(back.damage[0].code, "J201");
}

TEST_F(BackupTest, a_manifest_that_names_files_outside_is_refused) {
  for (const char* path :
       {"../etc/passwd", "/etc/passwd", "a/b/c", "audit/..", ".hidden", "", "master.key",
        "index.db", "manifest", "journal/1.seg", "journal/0000000000000000000\x1b.seg",
        "audit/000000000001.log\n", "keys.copy"}) {
    BackupManifest manifest;
    manifest.number = 1;
    manifest.made = "2026-12-01T00:00:00Z";
    manifest.files = {{path, 1, 1, "00", "00"}};
    fs::create_directories(folder());
    ASSERT_TRUE(manifest.save(FileSystem::real(), folder()));
    const auto loaded = BackupManifest::load(FileSystem::real(), folder());
    ASSERT_FALSE(loaded) << path;
    EXPECT_EQ(loaded.error().code, "J209");
    EXPECT_EQ(loaded.error().message.find_first_of("\x1b\n"), std::string::npos);
  }
}

TEST_F(BackupTest, a_manifest_that_names_a_file_twice_is_refused) {
  BackupManifest manifest;
  manifest.files = {{"keys", 1, 1, "00", "00"}, {"keys", 2, 1, "00", "00"}};
  fs::create_directories(folder());
  ASSERT_TRUE(manifest.save(FileSystem::real(), folder()));
  const auto loaded = BackupManifest::load(FileSystem::real(), folder());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, "J209");
}

TEST_F(BackupTest, a_hard_linked_copy_is_sound_after_the_next_backup) {
  const auto store = open();
  fill(*store, 3);
  backed_up(store.get());
  const fs::path monday = directory() / "monday";
  fs::copy(folder(), monday, fs::copy_options::recursive | fs::copy_options::create_hard_links);
  value(security::KeyRing::shred({state(), master()}, "lab", "a.analyst", "the agreement ended"));
  fill(*store, 3, "adt");
  {
    // Each folder is locked on its own.
    const auto copy_is_read = value(hold_backup(FileSystem::real(), monday));
    backed_up(store.get());
  }
  const BackupCheck check = value(check_backup(monday));
  EXPECT_EQ(render(check.damage), "");
  EXPECT_EQ(check.manifest.number, 1u);
}

TEST_F(BackupTest, checking_and_restoring_write_nothing_into_a_backup) {
  const auto store = open();
  fill(*store, 3);
  backed_up(store.get());
  const auto written = fs::last_write_time(folder());
  EXPECT_THAT(codes_of_check(), IsEmpty());
  value(restore(to_restore()));
  EXPECT_EQ(fs::last_write_time(folder()), written);
  EXPECT_FALSE(fs::exists(folder() / "lock"));
}

TEST_F(BackupTest, what_is_no_plain_file_is_not_waited_for_and_a_huge_one_not_read) {
  const auto store = open();
  fill(*store, 3);
  backed_up(store.get());
  const fs::path segment = stored(path_of_first_segment());
  fs::remove(segment);
  ASSERT_EQ(::mkfifo(segment.c_str(), 0600), 0);
  EXPECT_THAT(codes_of_check(), Contains("J208"));
  EXPECT_EQ(restore(to_restore()).error().code, "J208");
  fs::resize_file(folder() / "manifest", std::uintmax_t{1} << 40);
  EXPECT_EQ(check_backup(folder()).error().code, "J104");
  fs::remove(folder() / "manifest");
  ASSERT_EQ(::mkfifo((folder() / "manifest").c_str(), 0600), 0);
  EXPECT_EQ(check_backup(folder()).error().code, "J104");
  EXPECT_EQ(back_up(asked(store.get())).error().code, "J104");
}

TEST_F(BackupTest, what_changed_in_the_backup_is_copied_anew_where_it_is_seen) {
  const auto store = open();
  fill(*store, 40);
  backed_up(store.get());
  const fs::path segment = stored(path_of_first_segment());
  flip_a_byte(segment, 100);
  flip_a_byte(stored("keys"), 20);
  EXPECT_THAT(codes_of_check(), Contains("J208"));
  const BackupReport report = backed_up(store.get());
  EXPECT_EQ(report.files_copied, 2u);
  EXPECT_EQ(report.mended.size(), 2u);
  EXPECT_THAT(codes_of_check(), IsEmpty());
}

TEST_F(BackupTest, a_flipped_byte_in_the_middle_is_seen_within_24_backups) {
  Options long_segments = options();
  long_segments.segment_size = 300'000;
  const auto store = open(long_segments);
  fill(*store, 200);
  backed_up(store.get());
  const std::string path = path_of_first_segment();
  const fs::path segment = stored(path);
  const auto size = fs::file_size(segment);
  ASSERT_GT(size, 200'000u);
  flip_a_byte(segment, size / 2);
  BackupReport report;
  for (int turn = 0; turn < 24; ++turn) {
    report = backed_up(store.get());
    if (!report.mended.empty()) break;
    EXPECT_EQ(report.files_copied, 0u);
  }
  EXPECT_THAT(report.mended, testing::ElementsAre(path + ".1"));
  EXPECT_EQ(report.files_copied, 1u);
  EXPECT_THAT(codes_of_check(), IsEmpty());
  for (int turn = 0; turn < 24; ++turn) EXPECT_THAT(backed_up(store.get()).mended, IsEmpty());
}

}  // namespace
}  // namespace cannula::store
