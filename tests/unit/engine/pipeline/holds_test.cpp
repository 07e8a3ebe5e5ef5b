#include "engine/pipeline/holds.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/pipeline/retention.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class HoldsTest : public testing::Test {
 protected:
  HoldsTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "cannula-holds-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~HoldsTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Holds> open() const { return *Holds::open(directory_); }
  static Hold by_number() {
    Hold hold;
    hold.actor = "a.analyst";
    hold.reason = "case 12/2026";
    hold.kind = "mrn";
    hold.search = {4711};
    return hold;
  }
  static store::MessageRow row(std::uint64_t id, std::string channel, store::Timestamp at) {
    store::MessageRow row;
    row.id.value = id;
    row.channel = std::move(channel);
    row.received_at = at;
    return row;
  }

  std::filesystem::path directory_;
};

TEST_F(HoldsTest, all_that_a_hold_says_has_to_be_so) {
  Hold hold = by_number();
  hold.channel = "lab";
  hold.received_from = 100;
  hold.received_to = 200;
  EXPECT_TRUE(hold.covers(row(1, "lab", 100), {{1, 4711}}));
  EXPECT_FALSE(hold.covers(row(1, "adt", 100), {{1, 4711}}));
  EXPECT_FALSE(hold.covers(row(1, "lab", 99), {{1, 4711}}));
  EXPECT_FALSE(hold.covers(row(1, "lab", 200), {{1, 4711}}));
  EXPECT_FALSE(hold.covers(row(1, "lab", 100), {{1}}));
  EXPECT_TRUE(hold.covers(row(1, "lab", 100), {.keys = {1}, .all = false}))
      << "what could not be read may be of that patient";
  Hold one;
  one.message.value = 7;
  EXPECT_TRUE(one.covers(row(7, "lab", 1), {}));
  EXPECT_FALSE(one.covers(row(8, "lab", 1), {}));
}

TEST_F(HoldsTest, a_name_that_may_stand_as_several_keys_is_held_by_any_of_them) {
  Hold hold = by_number();
  hold.kind = "name";
  hold.search = {1, 2};
  ASSERT_TRUE(open()->add(hold));
  const auto holds = open();
  EXPECT_EQ(holds->covering(row(1, "lab", 1), {{7, 2}}), "H1");
  EXPECT_EQ(holds->covering(row(1, "lab", 1), {{1}}), "H1");
  EXPECT_EQ(holds->covering(row(1, "lab", 1), {{7}}), "");
}

TEST_F(HoldsTest, a_hold_of_one_key_is_written_as_earlier_versions_read_it) {
  ASSERT_TRUE(open()->add(by_number()));
  std::ifstream file(directory_ / "holds.jsonl");
  std::string line;
  std::getline(file, line);
  EXPECT_THAT(line, HasSubstr("\"search\":4711"));
}

TEST_F(HoldsTest, what_was_held_is_held_after_a_restart_until_it_is_released) {
  {
    const auto holds = open();
    EXPECT_EQ(holds->add(by_number())->name, "H1");
    EXPECT_EQ(holds->add(by_number())->name, "H2");
    EXPECT_EQ(holds->covering(row(1, "lab", 1), {{4711}}), "H1");
  }
  {
    const auto holds = open();
    ASSERT_THAT(holds->all(), SizeIs(2));
    EXPECT_EQ(holds->all()[0].reason, "case 12/2026");
    ASSERT_TRUE(holds->release("H1", 5, "a.analyst", "closed"));
    EXPECT_EQ(holds->release("H1", 5, "a.analyst", "closed").error().code, "P332");
  }
  const auto holds = open();
  ASSERT_THAT(holds->all(), SizeIs(1));
  EXPECT_EQ(holds->covering(row(1, "lab", 1), {{4711}}), "H2");
  EXPECT_EQ(holds->add(by_number())->name, "H3") << "a name is never used again";
}

TEST_F(HoldsTest, a_line_that_a_crash_cut_off_is_no_hold_but_a_damaged_one_stops_everything) {
  ASSERT_TRUE(open()->add(by_number()));
  std::ofstream(directory_ / "holds.jsonl", std::ios::app) << "{\"hold\":\"H2\",\"at\":1,";
  {
    const auto holds = open();
    EXPECT_THAT(holds->all(), SizeIs(1));
    EXPECT_EQ(holds->add(by_number())->name, "H2");
  }
  EXPECT_THAT(open()->all(), SizeIs(2));
  std::ofstream(directory_ / "holds.jsonl", std::ios::app) << "{\"hold\":\n";
  const auto damaged = Holds::open(directory_);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, "P331");
  EXPECT_THAT(damaged.error().message, HasSubstr("line 3"));
}

TEST_F(HoldsTest, none_is_added_while_what_is_due_is_judged) {
  const auto holds = open();
  std::atomic<bool> added = false;
  std::thread other;
  ASSERT_TRUE(holds->while_none_is_added([&]() -> Result<void> {
    other = std::thread([&] { added = holds->add(by_number()).has_value(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(holds->covering(row(1, "lab", 1), {{4711}}), "");
    return {};
  }));
  other.join();
  EXPECT_TRUE(added);
  EXPECT_EQ(holds->covering(row(1, "lab", 1), {{4711}}), "H1");
}

TEST_F(HoldsTest, a_file_that_cannot_be_read_is_no_empty_one) {
  std::filesystem::create_directory(directory_ / "holds.jsonl");  // whose reading fails
  const auto holds = Holds::open(directory_);
  ASSERT_FALSE(holds);
  EXPECT_EQ(holds.error().code, "P331");
}

// What follows of its key waits for a person, who could not end that once it is forgotten.
TEST_F(HoldsTest, what_died_and_holds_its_order_key_is_kept) {
  const auto holds = open();
  auto site = std::make_shared<config::Site>();
  site->channels["lab"].order.on_hold = config::OrderConfig::OnHold::hold_key;
  site->channels["adt"];
  const store::PruneOrder order = prune_order(site, *holds, 1);
  store::MessageRow dead = row(1, "lab", 1);
  dead.state = store::MessageState::dead;
  EXPECT_THAT(order.held(dead, {}), HasSubstr("holds its order key"));
  dead.channel = "adt";
  EXPECT_EQ(order.held(dead, {}), "");
  EXPECT_EQ(order.held(row(1, "lab", 1), {}), "");
}

TEST_F(HoldsTest, one_of_a_channel_is_of_all_names_that_it_has_had) {
  const auto holds = open();
  Hold hold;
  hold.actor = "a.analyst";
  hold.reason = "case 12/2026";
  hold.channel = "results";
  const auto added = holds->add(hold);
  ASSERT_TRUE(added);
  auto site = std::make_shared<config::Site>();
  site->channels["lab"].name = "lab";
  site->channels["lab"].renamed_from = {"results"};
  site->channels["adt"].name = "adt";
  const store::PruneOrder order = prune_order(site, *holds, 1);
  EXPECT_NE(order.held(row(1, "results", 1), {}), "");
  EXPECT_NE(order.held(row(1, "lab", 1), {}), "") << "it came under the new name";
  EXPECT_EQ(order.held(row(1, "adt", 1), {}), "");
}

}  // namespace
}  // namespace cannula::pipeline
