#include "engine/store/journal.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/store/frame.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class JournalTest : public StoreFixture {
 protected:
  Options options() const override {
    Options options = StoreFixture::options();
    options.zero_ahead = 0;
    options.keys = nullptr;  // so that sizes and bytes are what a test makes them
    options.index_in_background = false;
    return options;
  }

  // Each body in a batch of its own; the positions.
  std::vector<Position> write(const std::vector<std::string>& bodies) const {
    const auto store = open();
    std::vector<Position> positions;
    for (const std::string& body : bodies) {
      positions.push_back(commit(*store, {accepted("lab", body)})[0].position);
    }
    return positions;
  }

  std::vector<std::filesystem::path> segments() const {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory() / "journal")) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void put(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  void flip(Position position) const {
    std::string bytes = content(segments().front());
    bytes[kSegmentHeaderSize + position - kFirstPosition] ^= 0x55;
    put(segments().front(), bytes);
  }

  std::vector<std::string> bodies() const {
    Recovery recovery;
    const auto journal = value(Journal::open({.directory = journal_directory(directory()),
                                              .file_system = &FileSystem::real(),
                                              .segment_size = 0,
                                              .zero_ahead = 0,
                                              .read_only = true},
                                             recovery));
    std::vector<std::string> found;
    const auto visit = [&](const Frame& frame) -> Result<bool> {
      if (frame.header.type == 0) return true;
      found.push_back(*std::get<Accepted>(TRY(journal->record_of(frame))).body);
      return true;
    };
    EXPECT_TRUE(journal->scan(0, journal->end(), visit, nullptr));
    return found;
  }
};

TEST_F(JournalTest, a_torn_tail_is_cut_and_not_called_damage) {
  write({"one", "two"});
  std::string bytes = content(segments().front());
  bytes.resize(bytes.size() - kFrameHeaderSize -
               2);  // the closing mark and the end of the last frame
  put(segments().front(), bytes);
  const auto store = open();
  EXPECT_GT(store->recovery().torn_bytes_cut, 0u);
  EXPECT_THAT(store->recovery().damage, IsEmpty());
  commit(*store, {accepted("lab", "three")});
  store->close();
  EXPECT_THAT(bodies(), ElementsAre("one", "three"));
}

TEST_F(JournalTest, a_damaged_record_is_located_and_reading_goes_on_behind_it) {
  const auto positions = write({"one", "two", "three"});
  flip(positions[1] + kFrameHeaderSize + 3);
  const auto store = open();
  ASSERT_THAT(store->recovery().damage, SizeIs(1));
  const Diagnostic& finding = store->recovery().damage[0];
  EXPECT_EQ(finding.code, "J201");
  EXPECT_THAT(finding.message, HasSubstr("00000000000000000001.seg"));
  EXPECT_THAT(finding.message,
              HasSubstr("offset " + std::to_string(kSegmentHeaderSize + positions[1] - 1)));
  EXPECT_EQ(store->recovery().torn_bytes_cut, 0u);
  EXPECT_EQ(store->read(positions[1]).error().code, "J108");
  EXPECT_TRUE(store->read(positions[2]));
  store->close();
  EXPECT_THAT(bodies(), ElementsAre("one", "three"));
}

TEST_F(JournalTest,
       damage_in_the_last_record_of_a_cleanly_closed_journal_is_not_taken_for_a_torn_tail) {
  const auto positions = write({"one", "two"});
  flip(positions[1] + kFrameHeaderSize + 3);
  const auto store = open();
  EXPECT_THAT(store->recovery().damage, SizeIs(1));
  EXPECT_EQ(store->recovery().torn_bytes_cut, 0u);
}

TEST_F(JournalTest, damage_in_a_frame_header_is_passed_over_by_the_sync_word) {
  const auto positions = write({"one", "two", "three"});
  flip(positions[1] + 5);
  const auto store = open();
  EXPECT_THAT(store->recovery().damage, SizeIs(1));
  store->close();
  EXPECT_THAT(bodies(), ElementsAre("one", "three"));
}

TEST_F(JournalTest, a_body_that_looks_like_a_frame_is_not_taken_for_a_record) {
  write({"one"});
  const std::string frame = content(segments().front()).substr(kSegmentHeaderSize, 100);
  const auto store = open();
  const Position position = commit(*store, {accepted("lab", frame)})[0].position;
  commit(*store, {accepted("lab", "three")});
  store->close();
  flip(position + 5);
  EXPECT_THAT(bodies(), ElementsAre("one", "three"));
}

TEST_F(JournalTest, a_missing_segment_in_the_middle_is_reported) {
  Options small = options();
  small.segment_size = 2000;
  {
    const auto store = open(small);
    for (int i = 0; i < 8; ++i) commit(*store, {accepted("lab", std::string(700, 'x'))});
  }
  ASSERT_GE(segments().size(), 4u);
  std::filesystem::remove(segments()[1]);
  const auto store = open(small);
  ASSERT_THAT(store->recovery().damage, SizeIs(1));
  EXPECT_EQ(store->recovery().damage[0].code, "J203");
  store->close();
  EXPECT_LT(bodies().size(), 8u);
  const auto found = value(check(directory()));
  EXPECT_THAT(render(found.damage), HasSubstr("J203"));
}

TEST_F(JournalTest, a_segment_that_ends_early_is_reported) {
  Options small = options();
  small.segment_size = 2000;
  {
    const auto store = open(small);
    for (int i = 0; i < 8; ++i) commit(*store, {accepted("lab", std::string(700, 'x'))});
  }
  std::string bytes = content(segments()[1]);
  bytes.resize(bytes.size() - 100);
  put(segments()[1], bytes);
  const auto store = open(small);
  ASSERT_THAT(store->recovery().damage, SizeIs(1));
  EXPECT_THAT(store->recovery().damage[0].message, HasSubstr("ends 100 bytes early"));
}

TEST_F(JournalTest, a_damaged_segment_header_does_not_hide_the_records) {
  Options small = options();
  small.segment_size = 2000;
  {
    const auto store = open(small);
    for (int i = 0; i < 6; ++i) commit(*store, {accepted("lab", std::string(700, 'x'))});
  }
  std::string bytes = content(segments()[1]);
  bytes[20] ^= 1;
  put(segments()[1], bytes);
  {
    const auto store = open(small);
    ASSERT_THAT(store->recovery().damage, SizeIs(1));
    EXPECT_EQ(store->recovery().damage[0].code, "J202");
  }
  EXPECT_THAT(bodies(), SizeIs(6));
}

TEST_F(JournalTest, segments_of_two_stores_in_one_folder_are_refused) {
  write({"one"});
  const std::string first = content(segments()[0]);
  std::filesystem::remove_all(directory() / "journal");
  std::filesystem::remove(directory() / "index.db");
  Options small = options();
  small.segment_size = 1000;
  {
    const auto store = open(small);
    for (int i = 0; i < 3; ++i) commit(*store, {accepted("lab", std::string(700, 'x'))});
  }
  put(segments()[0], first);
  const auto store = Store::open(small);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, "J110");
}

TEST_F(JournalTest, a_position_where_no_record_begins_is_refused) {
  const auto positions = write({"one"});
  const auto store = open();
  EXPECT_EQ(store->read(positions[0] + 1).error().code, "J107");
  EXPECT_EQ(store->read(store->end()).error().code, "J107");
  EXPECT_EQ(store->read(0).error().code, "J107");
}

TEST_F(JournalTest, records_larger_than_every_buffer_come_back) {
  const std::string large(5'000'000, 'L');
  write({"small", large, "small too"});
  const auto store = open();
  store->close();
  EXPECT_THAT(bodies(), ElementsAre("small", large, "small too"));
}

TEST_F(JournalTest, the_search_behind_damage_is_linear_in_the_bytes) {
  // 8 MB of sync words: each is a place to look at.
  write({"one"});
  std::string bytes = content(segments()[0]);
  for (int i = 0; i < 2'000'000; ++i) bytes += kSyncWord;
  put(segments()[0], bytes);
  const auto store = open();
  EXPECT_EQ(store->recovery().torn_bytes_cut, 8'000'000u);
}

TEST_F(JournalTest, zeros_written_ahead_are_neither_records_nor_damage) {
  Options ahead = options();
  ahead.zero_ahead = 256u << 10;
  for (int round = 0; round < 3; ++round) {
    const auto store = open(ahead);
    EXPECT_EQ(store->recovery().torn_bytes_cut, 0u);
    EXPECT_THAT(store->recovery().damage, IsEmpty());
    for (int i = 0; i < 300; ++i) commit(*store, {accepted("lab", std::string(1500, 'x'))});
  }
  EXPECT_THAT(bodies(), SizeIs(900));
}

TEST_F(JournalTest, segments_are_not_removed_while_somebody_has_pinned_them) {
  Recovery recovery;
  const auto journal = value(Journal::open({.directory = journal_directory(directory()),
                                            .file_system = &FileSystem::real(),
                                            .segment_size = 5000},
                                           recovery));
  Pruned next = journal->pruned();
  next.identity = journal->identity();
  auto first = journal->pin();
  auto second = journal->pin();
  EXPECT_FALSE(value(journal->prune(next)));
  first.reset();
  EXPECT_FALSE(value(journal->prune(next)));
  second.reset();
  EXPECT_TRUE(value(journal->prune(next)));
}

}  // namespace
}  // namespace cannula::store
