// What is sealed, what that withstands, and what is said when keys are not those of the store.
#include <fstream>
#include <set>

#include <gmock/gmock.h>

#include "engine/store/frame_seal.h"
#include "engine/store/index_schema.h"
#include "engine/store/little_endian.h"
#include "engine/store/row_seal.h"
#include "engine/store/segment.h"
#include "engine/store/shred.h"
#include "engine/store/sqlite.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class StoreSealingTest : public StoreFixture {
 protected:
  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Options without_keys() const {
    Options plain = options();
    plain.keys = nullptr;
    return plain;
  }
  std::filesystem::path first_segment() const {
    return journal_directory(directory()) / segment_name(kFirstPosition);
  }
  static MessageId take_in(Store& store, const std::string& channel, const std::string& name) {
    Accepted record = accepted(channel, "MSH|^~\\&|LAB|\rPID|1||4711||" + name);
    record.control_id = "C-" + name;
    const MessageId id = commit(store, {record}).front().id;
    Outcome parked = outcome(id, channel, MessageState::parked);
    parked.reason = "look at " + name;
    parked.trace = "saw " + name;
    parked.state_writes = {{"last " + name, "\"" + name + "\""}};
    parked.misses = {{"codes", "K " + name, "text " + name}};
    parked.until_mapped = true;
    parked.search_keys = {store.search_key(kPatientName, name)};
    commit(store, {parked});
    return id;
  }
  std::string opening_error(Options options) const {
    const auto store = Store::open(std::move(options));
    return store ? "" : store.error().code;
  }
  void expect_sound() const {
    const auto found = check(directory(), nullptr, keys());
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(render(found->damage), "");
  }
};

TEST_F(StoreSealingTest, no_file_of_the_store_has_a_text_of_the_message) {
  {
    const auto store = open();
    take_in(*store, "lab", "Quenstedtmuster");
    store->catch_up();
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(content(entry.path()), Not(HasSubstr("Quenstedt"))) << entry.path();
    EXPECT_THAT(content(entry.path()), Not(HasSubstr("4711|"))) << entry.path();
  }
  EXPECT_GE(files, 4u);
}

TEST_F(StoreSealingTest, everything_comes_back_with_the_keys) {
  MessageId id;
  {
    const auto store = open();
    id = take_in(*store, "lab", "Muster");
  }
  for (const bool anew : {false, true}) {
    if (anew) std::filesystem::remove(index_path(directory()));
    const auto store = open();
    EXPECT_EQ(row(*store, id).control_id, "C-Muster");
    EXPECT_EQ(row(*store, id).reason, "look at Muster");
    EXPECT_THAT(value(store->messages({.control_id = "C-Muster"})), SizeIs(1));
    MessageQuery by_name;
    by_name.search_keys = {{store->search_key(kPatientName, "Muster")}};
    EXPECT_THAT(value(store->messages(by_name)), SizeIs(1));
    by_name.search_keys = {{store->search_key(kPatientNumber, "Muster")}};
    EXPECT_THAT(value(store->messages(by_name)), IsEmpty());
    EXPECT_EQ(value(store->script_state("lab")).at(0).key, "last Muster");
    EXPECT_EQ(value(store->unmapped("codes", 10)).at(0).key, "K Muster");
    EXPECT_EQ(value(store->unmapped("codes", 10)).at(0).text, "text Muster");
    EXPECT_EQ(value(store->awaiting({}, 10)).at(0).codes.at(0).second, "K Muster");
    EXPECT_EQ(std::get<Outcome>(value(store->trail(id)).at(1)).trace, "saw Muster");
  }
  expect_sound();
}

TEST_F(StoreSealingTest, a_plain_store_goes_on_sealed) {
  MessageId before, after;
  {
    const auto store = open(without_keys());
    before = take_in(*store, "lab", "Before");
  }
  {
    Options begun = options();
    begun.believe_plain = true;
    const auto store = open(begun);
    EXPECT_TRUE(store->recovery().index_rebuilt);
    after = take_in(*store, "lab", "After");
    EXPECT_EQ(row(*store, before).reason, "look at Before");
  }
  const auto store = open();
  EXPECT_FALSE(store->recovery().index_rebuilt);
  EXPECT_THAT(value(store->trail(before)), SizeIs(2));
  EXPECT_THAT(value(store->trail(after)), SizeIs(2));
  store->close();
  expect_sound();
  EXPECT_THAT(content(first_segment()), HasSubstr("Before"));
  EXPECT_THAT(content(first_segment()), Not(HasSubstr("After")));
}

TEST_F(StoreSealingTest, a_sealed_store_does_not_open_without_its_keys) {
  take_in(*open(), "lab", "Muster");
  EXPECT_EQ(opening_error(without_keys()), "J112");
  const auto ring = content(directory() / "keys");
  for (const char* name : {"keys", "keys.copy"}) std::filesystem::remove(directory() / name);
  EXPECT_EQ(opening_error(options()), "K105") << "and none are made in their place";
  EXPECT_FALSE(std::filesystem::exists(directory() / "keys"));

  auto other = security::KeyRing::open({directory(), master()});
  ASSERT_TRUE(other && (*other)->save_new());
  EXPECT_EQ(opening_error(options()), "J112");
  std::ofstream(directory() / "keys") << ring;
  EXPECT_EQ(opening_error(options()), "");
}

TEST_F(StoreSealingTest, a_file_of_keys_older_than_the_journal_is_not_taken_for_damage) {
  auto store = open();
  take_in(*store, "lab", "Muster");
  const auto ring = content(directory() / "keys");
  take_in(*store, "adt", "Example");
  store->close();
  for (const char* name : {"keys", "keys.copy"}) std::ofstream(directory() / name) << ring;
  std::filesystem::remove(index_path(directory()));
  EXPECT_EQ(opening_error(options()), "K107");
}

TEST_F(StoreSealingTest, a_changed_record_with_a_right_checksum_does_not_open) {
  Position position = 0;
  {
    const auto store = open();
    position = commit(*store, {accepted("lab", std::string(200, 'b'))}).front().position;
  }
  std::string segment = content(first_segment());
  const auto identity = SegmentHeader::parse(segment)->identity;
  char* frame = segment.data() + kSegmentHeaderSize + (position - kFirstPosition);
  frame[kFrameHeaderSize + 30] ^= 1;
  seal_frame(frame, identity, position, position);  // checksums only
  std::ofstream(first_segment(), std::ios::binary) << segment;
  const auto store = open();
  EXPECT_EQ(store->read(position).error().code, "J111");
  store->close();
  EXPECT_THAT(render(value(check(directory(), nullptr, keys())).damage), HasSubstr("J111"));
}

TEST_F(StoreSealingTest, a_journal_is_checked_without_keys) {
  take_in(*open(), "lab", "Muster");
  const auto found = value(check(directory()));
  EXPECT_EQ(render(found.damage), "");
  EXPECT_EQ(found.records_replayed, 2u);
}

TEST_F(StoreSealingTest, nonces_do_not_come_again_when_positions_do) {
  std::set<std::string> seen;
  for (int opening = 0; opening < 50; ++opening) {
    Nonces nonces;
    for (int i = 0; i < 100; ++i) {
      std::string nonce(security::kNonceSize, '\0');
      nonces.next(nonce.data());
      EXPECT_TRUE(seen.insert(nonce).second);
    }
  }
}

TEST_F(StoreSealingTest, a_shredded_channel_is_gone_and_the_other_stays) {
  MessageId lab, adt;
  Position lab_at = 0;
  {
    const auto store = open();
    lab = take_in(*store, "lab", "Muster");
    adt = take_in(*store, "adt", "Example");
    store->catch_up();
    lab_at = row(*store, lab).accepted_at_position;
    const auto refused =
        shred_channel(options(), {directory(), master()}, "lab", "a.analyst", "why", true);
    EXPECT_EQ(refused.error().code, "J101");
  }
  const auto shred = [&](bool even_open) {
    return shred_channel(options(), {directory(), master()}, "lab", "a.analyst", "why", even_open);
  };
  EXPECT_EQ(shred(false).error().code, "J113") << "a message is parked";
  ASSERT_TRUE(shred(true));
  const auto store = open();
  EXPECT_EQ(render(store->recovery().damage), "");
  EXPECT_FALSE(value(store->message(lab)));
  EXPECT_EQ(row(*store, adt).reason, "look at Example");
  EXPECT_EQ(store->read(lab_at).error().code, "K106");
  EXPECT_GT(take_in(*store, "lab", "Later"), adt);
  store->close();
  expect_sound();
}

TEST_F(StoreSealingTest, an_index_of_every_earlier_version_becomes_one_of_today) {
  const auto id = take_in(*open(), "lab", "Muster");
  for (std::size_t version = 1; version < index_migrations().size(); ++version) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(index_path(directory()).string() + suffix);
    }
    {
      const auto old = value(Connection::open(index_path(directory()), Connection::Mode::create));
      for (std::size_t step = 0; step < version; ++step) {
        ASSERT_TRUE(old->execute(std::string(index_migrations()[step].sql)));
      }
      ASSERT_TRUE(old->execute("PRAGMA user_version = " + std::to_string(version)));
    }
    const auto store = open();
    EXPECT_EQ(row(*store, id).reason, "look at Muster") << "version " << version;
    store->close();
    expect_sound();
  }
}

TEST_F(StoreSealingTest, a_text_of_the_index_opens_only_in_its_row) {
  const auto ring = keys();
  ASSERT_TRUE(ring->save_new());
  const RowSeal seal(ring.get());
  const std::string sealed = value(seal.seal("lab", {'m', 7}, "a reason"));
  EXPECT_EQ(value(seal.open({'m', 7}, sealed)), "a reason");
  EXPECT_EQ(sealed, value(seal.seal("lab", {'m', 7}, "a reason"))) << "an index can be compared";
  EXPECT_NE(sealed, value(seal.seal("lab", {'m', 8}, "a reason")));
  EXPECT_EQ(seal.open({'m', 8}, sealed).error().code, "J302");
  EXPECT_EQ(seal.open({'d', 7}, sealed).error().code, "J302");
}

TEST_F(StoreSealingTest, a_plain_text_in_the_index_of_a_sealed_store_is_not_shown) {
  Options watched = options();
  watched.index_in_background = false;
  int told = 0;
  watched.on_index_changed = [&](const Error& error) {
    EXPECT_EQ(error.code, "J302");
    ++told;
  };
  const auto store = open(watched);
  const MessageId id = take_in(*store, "lab", "Muster");
  store->catch_up();
  {
    const auto index = value(Connection::open(index_path(directory()), Connection::Mode::create));
    std::string plain(4, '\0');
    plain += joined({"ORU^R01", "C-Muster", "nothing to look at"});
    Statement& change = *value(index->prepared("UPDATE messages SET texts = ?"));
    change.bind_blob(1, plain);
    ASSERT_FALSE(value(change.step()));
  }
  EXPECT_EQ(store->message(id).error().code, "J302");
  EXPECT_EQ(store->message(id).error().code, "J302");
  EXPECT_EQ(told, 1);
  const auto end = [&]() -> Result<Position> { return store->end(); };
  const auto found = value(check(directory(), nullptr, keys(), end));
  EXPECT_THAT(render(found.damage), HasSubstr("messages: 1 of its texts is plain"));
  EXPECT_THAT(render(found.damage), HasSubstr("keep a copy"));
  const auto before = store->index_moment();
  EXPECT_EQ(store->seen_up_to(before), store->end());
  store->catch_up();
  EXPECT_EQ(row(*store, id).reason, "look at Muster") << "it was built anew";
  EXPECT_EQ(store->indexed_up_to(), store->end());
  EXPECT_EQ(store->seen_up_to(before), 0u) << "a read of before may have seen half of it";
  store->close();
  expect_sound();
}

}  // namespace
}  // namespace cannula::store
