// What lookups did not find, and who waits for it.
#include "engine/store/worklist.h"

#include <gmock/gmock.h>

#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

Outcome missed(MessageId id, std::vector<Miss> misses, bool until_mapped) {
  Outcome record = outcome(id, "lab", until_mapped ? MessageState::parked : MessageState::done);
  record.misses = std::move(misses);
  record.until_mapped = until_mapped;
  return record;
}

class WorklistTest : public StoreFixture {
 protected:
  MessageId take() { return commit(*store_, {accepted("lab")}).front().id; }
  void write(Record record) {
    commit(*store_, {std::move(record)});
    store_->catch_up();
  }
  void reopen() {
    store_->close();
    store_.reset();
    store_ = open();
  }
  std::unique_ptr<Store> store_ = open();
};

TEST_F(WorklistTest, MissesAreCountedByTableKeyAndChannel) {
  const MessageId first = take(), second = take();
  write(missed(first, {{"codes", "K", "Kalium"}, {"wards", "W9", ""}}, false));
  write(missed(second, {{"codes", "K", ""}}, false));

  const auto rows = *store_->unmapped("", 10);
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].table, "codes");
  EXPECT_EQ(rows[0].key, "K");
  EXPECT_EQ(rows[0].text, "Kalium") << "a text once known is not forgotten";
  EXPECT_EQ(rows[0].channel, "lab");
  EXPECT_EQ(rows[0].count, 2u);
  EXPECT_EQ(rows[0].sample, second);
  EXPECT_EQ(rows[0].waiting, 0u);
  EXPECT_THAT(*store_->unmapped("wards", 10), SizeIs(1));
  EXPECT_THAT(*store_->unmapped("unheard-of", 10), IsEmpty());
}

TEST_F(WorklistTest, AMessageWaitsForAllItsCodesUntilItRunsAgain) {
  const MessageId first = take(), second = take();
  write(missed(first, {{"codes", "K", ""}, {"codes", "NA", ""}}, true));
  write(missed(second, {{"codes", "K", ""}}, true));

  auto waiting = *store_->awaiting({}, 10);
  ASSERT_THAT(waiting, SizeIs(2));
  EXPECT_EQ(waiting[0].id, first);
  EXPECT_THAT(waiting[0].codes, ElementsAre(Pair("codes", "K"), Pair("codes", "NA")));
  EXPECT_EQ((*store_->unmapped("codes", 10))[0].waiting, 2u);
  EXPECT_THAT(*store_->awaiting(first, 10), SizeIs(1));
  EXPECT_THAT(*store_->awaiting({}, 1), SizeIs(1)) << "a limit counts messages, not codes";

  write(resent(first, "lab", 0));
  waiting = *store_->awaiting({}, 10);
  ASSERT_THAT(waiting, SizeIs(1));
  EXPECT_EQ(waiting[0].id, second);
  write(discarded(second, "lab", 0));
  EXPECT_THAT(*store_->awaiting({}, 10), IsEmpty());
}

TEST_F(WorklistTest, ASenderOfGarbageDoesNotFillIt) {
  const MessageId waits = take();
  write(missed(waits, {{"codes", "WAITED FOR", ""}}, true));
  const auto send = [&](int from, std::size_t count) {
    std::vector<Miss> misses;
    for (std::size_t i = 0; i < count; ++i) {
      misses.push_back({"codes", "garbage " + std::to_string(from + static_cast<int>(i)), ""});
    }
    Outcome record = missed(take(), std::move(misses), false);
    record.at += from;
    write(std::move(record));
  };
  for (int often = 0; often < 3; ++often) write(missed(take(), {{"codes", "OFTEN", ""}}, false));
  for (int from = 0; from < 15'000; from += 1000) send(from, 1000);

  const auto rows = *store_->unmapped("codes", 100'000);
  EXPECT_LE(rows.size(), static_cast<std::size_t>(Worklist::kMostKeys) + 2000);
  EXPECT_EQ(rows.front().key, "OFTEN");
  const auto has = [&](std::string_view key) {
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.key == key; });
  };
  EXPECT_TRUE(has("WAITED FOR")) << "a message waits for it";
  EXPECT_TRUE(has("garbage 14999")) << "the latest are kept";
  EXPECT_FALSE(has("garbage 0"));
}

TEST_F(WorklistTest, SurvivesARestartAndARebuild) {
  const MessageId id = take();
  write(missed(id, {{"codes", "K", "Kalium"}}, true));
  reopen();
  EXPECT_THAT(*store_->awaiting({}, 10), SizeIs(1));
  store_->close();
  store_.reset();
  std::filesystem::remove(directory() / "index.db");
  store_ = open();
  EXPECT_THAT(*store_->awaiting({}, 10), SizeIs(1));
  EXPECT_EQ((*store_->unmapped("", 10)).at(0).count, 1u);
}

}  // namespace
}  // namespace cannula::store
