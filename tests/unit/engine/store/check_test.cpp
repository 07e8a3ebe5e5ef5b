// A store that another process has open is checked as far as that one says that it is on disk.
#include <fstream>

#include <gmock/gmock.h>

#include "engine/store/segment.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::HasSubstr;

class StoreCheckTest : public StoreFixture {
 protected:
  // Of a store that is open in this process, with its own keys as another process would have them.
  Recovery check_open(const Store& store) const {
    const EndOfOpenStore end = [&store]() -> Result<Position> { return store.end(); };
    return value(check(directory(), nullptr, keys(), end));
  }
  void overwrite(Position position) const {
    const auto path = journal_directory(directory()) / segment_name(kFirstPosition);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(kSegmentHeaderSize + (position - kFirstPosition) + 40));
    file.write("damage", 6);
  }
};

TEST_F(StoreCheckTest, an_open_store_is_sound_and_still_open_afterwards) {
  Options small = options();
  small.segment_size = 20'000;
  const auto store = open(small);
  for (unsigned i = 0; i < 50; ++i) {
    const MessageId id = commit(*store, {accepted("lab", noise(i, 1000))}).front().id;
    commit(*store, {outcome(id, "lab", MessageState::filtered)});
  }
  store->catch_up();
  const Recovery found = check_open(*store);
  EXPECT_EQ(render(found.damage), "");
  EXPECT_EQ(found.records_replayed, 100u);
  EXPECT_GT(found.segments, 2u);
  EXPECT_EQ(found.end, store->end());
  EXPECT_TRUE(found.index_compared);
  commit(*store, {accepted("lab")});
  EXPECT_EQ(check_open(*store).records_replayed, 101u);
}

TEST_F(StoreCheckTest, what_is_behind_the_end_of_an_open_store_is_not_looked_at) {
  const auto store = open();
  commit(*store, {accepted("lab", "one")});
  const Position end = store->end();
  commit(*store, {accepted("lab", "two")});
  const EndOfOpenStore earlier = [end]() -> Result<Position> { return end; };
  const auto keys_then = keys();
  const Recovery found = value(check(directory(), nullptr, keys_then, earlier));
  EXPECT_EQ(found.records_replayed, 1u);
}

// In a closed store nobody knows whether the last commit was whole once; its owner does.
TEST_F(StoreCheckTest, damage_in_the_last_commit_of_an_open_store_is_damage_and_has_its_place) {
  const auto store = open();
  commit(*store, {accepted("lab", "one")});
  const Position last = commit(*store, {accepted("lab", noise(1, 500))}).front().position;
  overwrite(last);
  const std::string found = render(check_open(*store).damage);
  EXPECT_THAT(found, HasSubstr("J201"));
  EXPECT_THAT(found, HasSubstr(segment_name(kFirstPosition)));
  EXPECT_THAT(found, HasSubstr("offset " + std::to_string(kSegmentHeaderSize + last - 1)));
}

TEST_F(StoreCheckTest, nothing_is_changed_in_a_closed_store) {
  {
    const auto store = open();
    for (unsigned i = 0; i < 20; ++i) commit(*store, {accepted("lab", noise(i, 1000))});
  }
  const auto content = [this] {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      const std::string name = entry.path().filename().string();
      // To read an index, SQLite lays its two helpers beside it.
      if (!entry.is_regular_file() || name == "lock" || name.ends_with("-wal") ||
          name.ends_with("-shm"))
        continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[name] = {std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  };
  const auto before = content();
  EXPECT_EQ(render(value(check(directory(), nullptr, keys())).damage), "");
  const auto after = content();
  for (const auto& [name, bytes] : before)
    EXPECT_EQ(after.contains(name) && after.at(name) == bytes, true) << name;
  EXPECT_EQ(after.size(), before.size());
}

}  // namespace
}  // namespace cannula::store
