#include "engine/store/store.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "engine/store/file_system.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class StoreTest : public StoreFixture {};

TEST_F(StoreTest, reads_back_what_was_committed) {
  const auto store = open();
  const auto committed = commit(*store, {accepted("lab", "MSH|^~\\&|body")});
  ASSERT_EQ(committed.size(), 1u);
  EXPECT_TRUE(committed[0].id);
  const auto record = store->read(committed[0].position);
  ASSERT_TRUE(record) << record.error().text();
  const auto& back = std::get<Accepted>(*record);
  EXPECT_EQ(back.id, committed[0].id);
  EXPECT_EQ(back.channel, "lab");
  EXPECT_EQ(*back.body, "MSH|^~\\&|body");
}

TEST_F(StoreTest, ids_and_positions_rise_also_across_a_restart) {
  MessageId last;
  Position end = 0;
  for (int round = 0; round < 3; ++round) {
    const auto store = open();
    for (const Committed& one : commit(*store, {accepted("a"), accepted("b"), accepted("a")})) {
      EXPECT_GT(one.id, last);
      EXPECT_GE(one.position, end);
      last = one.id;
      end = one.position;
    }
  }
}

TEST_F(StoreTest, a_message_goes_from_accepted_to_done) {
  const auto store = open();
  const MessageId id = commit(*store, {accepted("lab")})[0].id;
  store->catch_up();
  EXPECT_EQ(state(*store, id), MessageState::accepted);
  EXPECT_EQ(value(store->waiting_messages("lab", 0, 10)).size(), 1u);

  commit(*store, {outcome(id, "lab", MessageState::queued, {"ehr", "archive"})});
  store->catch_up();
  EXPECT_EQ(state(*store, id), MessageState::queued);
  EXPECT_THAT(value(store->waiting_messages("lab", 0, 10)), IsEmpty());
  EXPECT_EQ(value(store->waiting_deliveries("lab", "ehr", 0, 0, 10)).size(), 1u);

  commit(*store, {attempt(id, "lab", 1, "ehr", DeliveryState::delivered)});
  store->catch_up();
  EXPECT_EQ(state(*store, id), MessageState::queued);
  commit(*store, {attempt(id, "lab", 2, "archive", DeliveryState::delivered)});
  store->catch_up();
  EXPECT_EQ(state(*store, id), MessageState::done);
  EXPECT_THAT(value(store->waiting_deliveries("lab", "ehr", 0, 0, 10)), IsEmpty());
  EXPECT_EQ(value(store->trail(id)).size(), 4u);
}

TEST_F(StoreTest, nothing_is_acknowledged_into_a_folder_that_was_removed) {
  const auto store = open();
  commit(*store, {accepted("lab")});
  EXPECT_FALSE(store->is_displaced());
  std::filesystem::remove_all(directory());
  EXPECT_TRUE(store->is_displaced());
  for (int i = 0; i < 3; ++i) {
    const auto refused = store->commit({accepted("lab")});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "J120");
    EXPECT_NE(refused.error().hint, "");
  }
  ASSERT_TRUE(store->trouble());
  EXPECT_EQ(store->trouble()->code, "J120");
  store->probe();
  EXPECT_FALSE(store->commit({accepted("lab")})) << "another folder is no better";
}

TEST_F(StoreTest, a_segment_that_another_one_replaced_is_noticed_within_a_second) {
  const auto store = open();
  commit(*store, {accepted("lab")});
  const auto aside = directory().string() + ".aside";
  std::filesystem::rename(directory(), aside);
  std::filesystem::copy(aside, directory(), std::filesystem::copy_options::recursive);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto refused = store->commit({accepted("lab")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J120");
  std::filesystem::remove_all(aside);
}

TEST_F(StoreTest, a_folder_that_is_moved_back_is_used_again_with_all_that_was_acknowledged) {
  MessageId before, after;
  {
    const auto store = open();
    before = commit(*store, {accepted("lab", "before")})[0].id;
    const auto aside = directory().string() + ".aside";
    std::filesystem::rename(directory(), aside);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    ASSERT_FALSE(store->commit({accepted("lab", "between")}));
    std::filesystem::rename(aside, directory());
    after = commit(*store, {accepted("lab", "after")})[0].id;
    EXPECT_FALSE(store->trouble());
  }
  const auto store = open();
  EXPECT_THAT(store->recovery().damage, IsEmpty());
  EXPECT_TRUE(value(store->message(before)));
  EXPECT_TRUE(value(store->message(after)));
  EXPECT_EQ(value(store->messages({})).size(), 2u) << "what was refused is not there";
}

TEST_F(StoreTest, an_opening_says_when_it_made_the_store_and_what_an_earlier_one_left) {
  {
    const auto store = open();
    EXPECT_TRUE(store->recovery().made_new);
    EXPECT_THAT(store->recovery().left_behind, IsEmpty());
    commit(*store, {accepted("lab")});
  }
  EXPECT_FALSE(open()->recovery().made_new);
  std::filesystem::remove_all(directory() / "journal");
  const auto store = open();
  EXPECT_TRUE(store->recovery().made_new);
  EXPECT_THAT(store->recovery().left_behind, ElementsAre("index.db", "keys"));
}

TEST_F(StoreTest, a_second_process_is_told_who_holds_the_store) {
  const auto store = open();
  const auto second = Store::open(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "J101");
  EXPECT_THAT(second.error().message, testing::HasSubstr(std::to_string(::getpid())));
}

TEST_F(StoreTest, submissions_after_close_complete_with_an_error) {
  const auto store = open();
  store->close();
  const auto refused = store->commit({accepted("lab")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "J105");
}

TEST_F(StoreTest, a_lost_index_is_built_again_from_the_journal) {
  MessageId id;
  {
    const auto store = open();
    id = commit(*store, {accepted("lab")})[0].id;
    commit(*store, {outcome(id, "lab", MessageState::queued, {"ehr"})});
  }
  std::filesystem::remove(directory() / "index.db");
  const auto store = open();
  EXPECT_TRUE(store->recovery().index_rebuilt);
  EXPECT_EQ(store->recovery().records_replayed, 2u);
  EXPECT_EQ(state(*store, id), MessageState::queued);
}

// Opening a pipe waits for whoever writes to it, and that may be nobody.
TEST_F(StoreTest, what_is_no_plain_file_is_not_waited_for_and_nothing_is_written_through_a_link) {
  FileSystem& files = FileSystem::real();
  const auto pipe = directory() / "pipe", file = directory() / "file", link = directory() / "link";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const auto access : {FileSystem::Access::read, FileSystem::Access::write}) {
    const auto opened = files.open(pipe, access);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().text(), testing::HasSubstr("is no plain file"));
  }
  ASSERT_TRUE(files.open(file, FileSystem::Access::create));
  std::filesystem::create_symlink(file, link);
  EXPECT_TRUE(files.open(link, FileSystem::Access::read));
  EXPECT_FALSE(files.open(link, FileSystem::Access::write));
}

}  // namespace
}  // namespace cannula::store
