#include "engine/store/backup.h"

#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "engine/store/backup_check.h"
#include "engine/store/restore.h"
#include "engine/store/retention.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr Timestamp kHour = 3'600'000'000;
constexpr Timestamp kLater = 1'760'000'000'000'000 + 100 * kHour;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void flip_a_byte(const fs::path& path, std::uint64_t at) {
  std::string bytes = content(path);
  bytes.at(static_cast<std::size_t>(at)) ^= 0x40;
  write(path, bytes);
}

class BackupTest : public StoreFixture {
 protected:
  BackupTest() { fs::create_directories(state()); }

  fs::path state() const { return directory() / "state"; }
  fs::path folder() const { return directory() / "backup"; }
  fs::path restored() const { return directory() / "restored"; }

  Options options() const override { return options_of(state()); }
  static Options options_of(const fs::path& directory) {
    fs::create_directories(directory);
    Options options;
    options.directory = directory;
    options.segment_size = 20'000;
    options.zero_ahead = 64u << 10;
    options.keys = value(security::KeyRing::open({directory, master()}));
    return options;
  }

  BackupOptions asked(const Store* store = nullptr) const {
    BackupOptions options;
    options.store = state();
    options.folder = folder();
    options.site = "riverside";
    options.beside = {{"holds.jsonl", SideFile::Kind::lines},
                      {"audit-head.json", SideFile::Kind::steady},
                      {"audit", SideFile::Kind::folder, ".log"}};
    if (store) {
      options.end = [store]() -> Result<Position> { return store->end(); };
    } else {
      options.end = [this] { return end_at_rest(state()); };
    }
    return options;
  }
  BackupReport backed_up(const Store* store = nullptr) const {
    return value(back_up(asked(store)));
  }
  RestoreOptions to_restore() const {
    RestoreOptions options;
    options.backup = folder();
    options.store = restored();
    return options;
  }

  static std::vector<MessageId> fill(Store& store, unsigned count,
                                     const std::string& channel = "lab", unsigned seed = 0) {
    std::vector<MessageId> ids;
    for (unsigned i = 0; i < count; ++i) {
      const MessageId id = commit(store, {accepted(channel, noise(seed + i, 1500))}).front().id;
      Outcome worked = outcome(id, channel, MessageState::queued, {"ehr"});
      worked.state_writes = {{"last", std::to_string(seed + i)}};
      commit(store, {worked, attempt(id, channel, 1, "ehr", DeliveryState::delivered)});
      ids.push_back(id);
    }
    return ids;
  }
  static void prune(Store& store) {
    PruneOrder order;
    order.now = kLater;
    order.keep = [](const std::string& channel, MessageState) {
      return channel == "lab" ? Keep{kHour, {}} : Keep{};
    };
    value(store.prune(order));
  }

  static void expect_bodies(const fs::path& directory, const std::vector<MessageId>& ids,
                            unsigned seed = 0) {
    const auto store = open(options_of(directory));
    EXPECT_EQ(render(store->recovery().damage), "");
    for (const MessageId id : ids) {
      const auto trail = value(store->trail(id));
      ASSERT_EQ(trail.size(), 3u) << id.text();
      EXPECT_EQ(*std::get<Accepted>(trail.front()).body, noise(seed++, 1500));
    }
  }
  std::vector<std::string> codes_of_check() const {
    const BackupCheck check = value(check_backup(folder()));
    std::vector<std::string> codes;
    for (const Diagnostic& one : check.damage) codes.push_back(one.code);
    return codes;
  }
  // The stored file of a path of the store.
  fs::path stored(const std::string& path) const {
    const auto manifest = value(manifest_of_backup(FileSystem::real(), folder()));
    const BackupFile* file = manifest.find(path);
    if (!file) throw std::runtime_error("the backup has no " + path);
    return folder() / file->stored_name();
  }
  std::string path_of_first_segment() const {
    for (const BackupFile& file : value(manifest_of_backup(FileSystem::real(), folder())).files) {
      if (file.path.starts_with("journal/0")) return file.path;
    }
    return "";
  }
};

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

TEST_F(BackupTest, a_key_that_goes_is_overwritten_on_the_disk) {
  const auto file = directory() / "keys.1";
  write(file, "secret");
  std::ifstream open_still(file, std::ios::binary);
  ASSERT_TRUE(FileSystem::real().destroy(file));
  EXPECT_FALSE(fs::exists(file));
  const std::string bytes{std::istreambuf_iterator<char>(open_still), {}};
  EXPECT_EQ(bytes, std::string(6, '\0'));
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

TEST_F(BackupTest, what_changed_in_the_backup_is_copied_anew_where_it_is_seen) {
  const auto store = open();
  fill(*store, 40);
  backed_up(store.get());
  const fs::path segment = stored(path_of_first_segment());
  flip_a_byte(segment, 100);
  flip_a_byte(stored("keys"), 20);
  EXPECT_THAT(codes_of_check(), Contains("J208"));
  EXPECT_EQ(backed_up(store.get()).files_copied, 2u);
  EXPECT_THAT(codes_of_check(), IsEmpty());
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

TEST_F(BackupTest, where_there_is_no_backup_it_is_said) {
  EXPECT_EQ(check_backup(folder()).error().code, "J209");
  EXPECT_EQ(restore(to_restore()).error().code, "J209");
  EXPECT_FALSE(fs::exists(folder()));
}

}  // namespace
}  // namespace cannula::store
