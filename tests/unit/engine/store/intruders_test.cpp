// Somebody who may write the store's files and makes checksums, which take no key: what they put
// into a sealed journal is found, and none of it is read. Each test is an attack.
#include <fstream>

#include <gmock/gmock.h>

#include "engine/store/frame_seal.h"
#include "engine/store/little_endian.h"
#include "engine/store/segment.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/store/backup_fixture.h"

namespace cannula::store {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class IntrudersTest : public BackupTest {
 protected:
  IntrudersTest() {
    const auto store = open();
    for (const char* name : {"first", "second", "third"}) {
      Accepted record = accepted("lab", std::string("MSH|^~\\&|LAB|") + name + noise(7, 300));
      committed_.push_back(commit(*store, {record}).front());
    }
    store->catch_up();
    store->close();
    end_ = store->end();
    fs::copy(state(), directory() / "before", fs::copy_options::recursive);
  }

  // Before the attack.
  void once_more() const {
    fs::remove_all(state());
    fs::copy(directory() / "before", state(), fs::copy_options::recursive);
  }
  static std::vector<fs::path> segments_of(const fs::path& directory) {
    std::vector<fs::path> found;
    for (const auto& file : fs::directory_iterator(journal_directory(directory))) {
      if (file.path().extension() == ".seg") found.push_back(file.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  fs::path segment() const { return segments_of(state()).back(); }
  SegmentHeader header() const { return *SegmentHeader::parse(content(segment())); }

  static Accepted forged(MessageId id = {1ull << 62}) {
    Accepted record = accepted("lab", "MSH|^~\\&|LAB|forged");
    record.id = id;
    return record;
  }
  // A frame as anybody can make it.
  std::string plain_frame(const Record& record, Position position, std::size_t size = 0) const {
    std::string frame;
    append_frame(record, false, frame);
    if (size > frame.size()) {
      frame.resize(size, '\0');
      put_u32(frame.data() + 4, static_cast<std::uint32_t>(size - kFrameHeaderSize));
    }
    seal_frame(frame.data(), header().identity, position, position);
    return frame;
  }
  void put(Position position, const std::string& frame) const {
    std::string bytes = content(segment());
    const std::size_t offset = kSegmentHeaderSize + (position - header().base);
    bytes.resize(std::max(bytes.size(), offset + frame.size()));
    bytes.replace(offset, frame.size(), frame);
    write(segment(), bytes);
  }
  std::size_t size_of_frame(Position position) const {
    const std::string bytes = content(segment());
    return read_frame_header(bytes.data() + kSegmentHeaderSize + (position - header().base)).size();
  }
  static std::vector<std::string> codes(const std::vector<Diagnostic>& findings) {
    std::vector<std::string> all;
    for (const Diagnostic& one : findings) all.push_back(one.code);
    return all;
  }
  std::vector<Diagnostic> checked() const {
    return value(check(state(), nullptr, options().keys)).damage;
  }
  // What `store check` and an opening say; no finding takes the evidence away.
  void expect_found(const std::string& what) const {
    EXPECT_THAT(render(checked()), AllOf(HasSubstr("J119"), HasSubstr(what)));
    for (const Diagnostic& one : checked()) EXPECT_THAT(one.hint, HasSubstr("keep a copy"));
    const auto store = open();
    EXPECT_THAT(render(store->recovery().damage), AllOf(HasSubstr("J119"), HasSubstr(what)));
    for (const MessageRow& row : value(store->messages({}))) EXPECT_LT(row.id.value, 1ull << 62);
  }

  std::vector<Committed> committed_;
  Position end_ = 0;
};

TEST_F(IntrudersTest, a_plain_record_behind_sealed_ones_is_not_taken_in) {
  put(end_, plain_frame(forged(), end_));
  expect_found("a plain record stands at position " + std::to_string(end_));
  const auto store = open();
  EXPECT_EQ(store->read(end_).error().code, "J119");
  EXPECT_LT(commit(*store, {accepted("lab")}).front().id.value, 1ull << 62)
      << "ids go on behind the store's own";
}

TEST_F(IntrudersTest, a_plain_record_in_the_place_of_a_sealed_one_is_not_read) {
  const Committed second = committed_[1];
  put(second.position,
      plain_frame(forged(second.id), second.position, size_of_frame(second.position)));
  expect_found("a plain record");
  {
    const auto store = open();
    EXPECT_FALSE(store->recovery().index_rebuilt) << "it knows what the journal lost";
    EXPECT_EQ(store->read(second.position).error().code, "J119");
    EXPECT_EQ(store->trail(second.id).error().code, "J119");
    EXPECT_EQ(value(store->trail(committed_[2].id)).size(), 1u);
  }
  fs::remove(index_path(state()));
  EXPECT_FALSE(value(open()->message(second.id))) << "nor is the index built with it";
}

TEST_F(IntrudersTest, it_is_found_without_the_keys_and_in_a_backup) {
  put(end_, plain_frame(forged(), end_));
  EXPECT_THAT(codes(value(check(state())).damage), ElementsAre("J119"));
  open()->close();
  EXPECT_THAT(codes(backed_up().damage), ElementsAre("J119"));
  EXPECT_THAT(codes_of_check(), ElementsAre("J119"));
  EXPECT_THAT(codes(value(restore(to_restore())).damage), ElementsAre("J119"));
  const auto store = open(options_of(restored()));
  EXPECT_THAT(codes(store->recovery().damage), ElementsAre("J119"));
  EXPECT_EQ(value(store->messages({})).size(), committed_.size());
}

TEST_F(IntrudersTest, a_record_that_is_covered_by_a_mark_is_missed) {
  const Position at = committed_[1].position;
  const std::string bytes = content(segment());
  std::string frame = bytes.substr(kSegmentHeaderSize + (at - header().base), size_of_frame(at));
  for (const char format : {'\0', '\1'}) {
    once_more();
    frame[12] = format;
    frame[13] = static_cast<char>(RecordType::closed);
    seal_frame(frame.data(), header().identity, at, at);
    put(at, frame);
    expect_found("a mark that is not the store's");
  }
}

TEST_F(IntrudersTest, marks_cannot_be_made_without_the_key) {
  std::string mark;
  append_closing_frame(mark);
  seal_frame(mark.data(), header().identity, end_, end_);
  put(end_, mark);
  expect_found("a mark that is not the store's");
  once_more();
  mark.clear();
  append_mark(options().keys.get(), mark);  // room for a seal, and none in it
  seal_frame(mark.data(), header().identity, end_, end_);
  put(end_, mark);
  expect_found("a mark that is not the store's");
}

TEST_F(IntrudersTest, a_segment_that_says_that_it_is_plain_is_not_believed) {
  SegmentHeader next = header();
  next.previous_base = next.base;
  next.base = next.previous_end = end_;
  next.keys = 0;
  next.seal = {};
  const std::string frame = plain_frame(forged(), end_);
  write(journal_directory(state()) / segment_name(end_), next.bytes() + frame);
  expect_found("a plain record");
  expect_found("the header says that its records are plain");
}

TEST_F(IntrudersTest, nor_when_it_is_the_first_one) {
  SegmentHeader changed = header();
  changed.keys = 0;
  std::string bytes = content(segment());
  bytes.replace(0, kSegmentHeaderSize, changed.bytes());
  write(segment(), bytes);
  const Position at = committed_[0].position;
  put(at, plain_frame(forged(), at, size_of_frame(at)));
  expect_found("a plain record");
  expect_found("the header says that its records are plain");
}

TEST_F(IntrudersTest, a_header_that_cuts_the_segment_before_it_is_found) {
  {
    const auto store = open();
    fill(*store, 20);
  }
  ASSERT_GE(segments_of(state()).size(), 2u);
  EXPECT_THAT(checked(), IsEmpty());
  SegmentHeader changed = header();
  changed.previous_end -= 400;
  std::string bytes = content(segment());
  bytes.replace(0, kSegmentHeaderSize, changed.bytes());
  write(segment(), bytes);
  EXPECT_THAT(render(checked()), HasSubstr("the header was changed: its seal does not hold"));
}

TEST_F(IntrudersTest, from_where_on_all_is_sealed_cannot_be_taken_out_of_the_keys) {
  const std::string ring = content(state() / "keys");
  ASSERT_THAT(ring, HasSubstr("\"records_from\": 1"));
  for (const auto& [from, to] : {std::pair{"\"records_from\": 1", "\"records_from\": 900000"},
                                 {"\"records_from\"", "\"x\""},
                                 {"\"marks_from\": 1", "\"marks_from\": 900000"}}) {
    std::string changed = ring;
    changed.replace(changed.find(from), std::string(from).size(), to);
    write(state() / "keys", changed);
    const auto opened = security::KeyRing::open({state(), master()});
    ASSERT_FALSE(opened) << to;
    EXPECT_EQ(opened.error().code, "K105") << to;
  }
}

// The identity stands in every header, and so does where the journal ended.
TEST_F(IntrudersTest, a_plain_journal_in_the_place_of_the_sealed_one_is_not_believed) {
  SegmentHeader alone = header();
  alone.base = end_ + 4096;
  alone.previous_base = alone.previous_end = 0;
  alone.keys = 0;
  alone.seal = {};
  const std::string frame = plain_frame(forged(), alone.base);
  for (const char* gone : {"keys", "keys.copy", "index.db"}) fs::remove(state() / gone);
  for (const fs::path& one : segments_of(state())) fs::remove(one);
  write(journal_directory(state()) / segment_name(alone.base), alone.bytes() + frame);

  const auto store = Store::open(options());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, "K118");
  EXPECT_FALSE(fs::exists(state() / "keys")) << "no keys are made for it";
  EXPECT_THAT(codes(checked()), ElementsAre("K118"));
}

TEST_F(IntrudersTest, a_backup_without_keys_is_not_restored_unless_a_person_says_so) {
  fs::remove_all(state());
  Options plain = options();
  plain.keys = nullptr;
  {
    const auto store = open(plain);
    commit(*store, {accepted("lab", "MSH|^~\\&|LAB|forged")});
    backed_up(store.get());
  }
  const auto refused = restore(to_restore());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "K118");
  EXPECT_FALSE(fs::exists(journal_directory(restored())));

  RestoreOptions even_plain = to_restore();
  even_plain.even_plain = true;
  EXPECT_TRUE(restore(even_plain));
  EXPECT_EQ(Store::open(options_of(restored())).error().code, "K118") << "nor is it opened yet";
}

TEST_F(IntrudersTest, a_master_key_that_follows_another_keeps_it) {
  const auto before = options().keys->sealed_from();
  EXPECT_EQ(before, (security::SealedFrom{.records = 1, .marks = 1}));
  security::MasterKeySource next = master();
  next.read = []() -> Result<std::string> {
    return std::string(64, '8') + "\n" + std::string(64, '7');
  };
  EXPECT_EQ(value(security::KeyRing::open({state(), next}))->sealed_from(), before);
  EXPECT_EQ(value(security::KeyRing::open({state(), next}))->sealed_from(), before);
}

// What was plain before there were keys stays readable, and only that.
class IntrudersInAnOlderStoreTest : public IntrudersTest {
 protected:
  IntrudersInAnOlderStoreTest() {
    fs::remove_all(state());
    Options plain = options();
    plain.keys = nullptr;
    {
      const auto store = open(plain);
      was_plain_ = commit(*store, {accepted("lab", "MSH|^~\\&|LAB|plain")}).front();
    }
    Options begun = options();
    begun.believe_plain = true;
    const auto store = open(begun);
    sealed_ = commit(*store, {accepted("lab", "MSH|^~\\&|LAB|sealed")}).front();
    store->close();
    end_ = store->end();
  }

  Committed was_plain_, sealed_;
};

TEST_F(IntrudersInAnOlderStoreTest, a_plain_record_is_read_where_it_was_before_there_were_keys) {
  EXPECT_THAT(checked(), IsEmpty());
  put(end_, plain_frame(forged(), end_));
  expect_found("a plain record");
  const auto store = open();
  EXPECT_EQ(value(store->trail(was_plain_.id)).size(), 1u);
  EXPECT_EQ(value(store->trail(sealed_.id)).size(), 1u);
}

}  // namespace
}  // namespace cannula::store
