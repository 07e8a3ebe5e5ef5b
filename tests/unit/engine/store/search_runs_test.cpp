// What messages are found by, against a set of all pairs.
#include "engine/store/search_runs.h"

#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "engine/store/index_schema.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;

class SearchRunsTest : public StoreFixture {
 protected:
  SearchRunsTest()
      : connection_(value(Connection::open(directory() / "index.db", Connection::Mode::create))) {
    for (const Migration& step : index_migrations()) {
      value(connection_->execute(std::string(step.sql)));
    }
  }

  void add(std::uint64_t hash, std::uint64_t message) {
    runs_.add(hash, {message});
    added_[hash].insert(message);
  }
  void commit() {
    value(connection_->execute("BEGIN"));
    value(runs_.write(*connection_));
    value(connection_->execute("COMMIT"));
  }
  // What has all of these.
  std::vector<std::uint64_t> found(std::initializer_list<std::uint64_t> hashes) const {
    std::vector<SearchKeys> wanted;
    for (const std::uint64_t hash : hashes) wanted.push_back({hash});
    return found_of(wanted);
  }
  // What has one of each of these.
  std::vector<std::uint64_t> found_of(const std::vector<SearchKeys>& wanted) const {
    std::vector<std::uint64_t> ids;
    for (const MessageId id : value(messages_with(*connection_, wanted))) ids.push_back(id.value);
    return ids;
  }
  void expect_all_found() const {
    for (const auto& [hash, messages] : added_) {
      EXPECT_EQ(found({hash}), std::vector<std::uint64_t>(messages.begin(), messages.end()));
    }
  }
  std::int64_t number(std::string_view sql) const { return value(connection_->number(sql)); }
  template <class T>
  static T value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  std::unique_ptr<Connection> connection_;
  SearchRuns runs_;
  std::map<std::uint64_t, std::set<std::uint64_t>> added_;
};

TEST_F(SearchRunsTest, what_was_added_is_found_however_many_transactions_it_came_in) {
  std::minstd_rand random(1);
  const auto any_hash = [&] { return (std::uint64_t{random()} << 33) ^ random(); };
  std::vector<std::uint64_t> hashes;
  for (int i = 0; i < 300; ++i) hashes.push_back(any_hash());
  for (std::uint64_t message = 1; message <= 5'000; ++message) {
    add(hashes[random() % hashes.size()], message);
    add(any_hash(), message);
    add(7, message);  // the name of them all
    if (random() % 20 == 0) commit();
  }
  commit();
  expect_all_found();
  EXPECT_THAT(found({8}), IsEmpty());
}

TEST_F(SearchRunsTest, runs_are_merged_so_that_few_are_left) {
  for (std::uint64_t message = 1; message <= 2'000; ++message) {
    add(message % 100, message);
    commit();
  }
  EXPECT_THAT(number("SELECT count(*) FROM search_runs"), Le(3 * 6));
  EXPECT_EQ(number("SELECT sum(pairs) FROM search_runs"), 2'000);
  EXPECT_EQ(number("SELECT sum(length(pairs)) / 16 FROM search_blocks"), 2'000)
      << "blocks of merged runs are gone";
  expect_all_found();
}

TEST_F(SearchRunsTest, several_hashes_find_what_has_all_of_them) {
  add(1, 10), add(1, 20), add(1, 30);
  commit();
  add(2, 20), add(2, 30), add(2, 40);
  commit();
  EXPECT_THAT(found({1, 2}), ElementsAre(20, 30));
  EXPECT_THAT(found({1, 2, 3}), IsEmpty());
}

TEST_F(SearchRunsTest, of_several_forms_of_a_text_one_is_enough_and_each_message_comes_once) {
  add(1, 10), add(2, 10), add(5, 10);
  commit();
  add(2, 20), add(3, 30), add(5, 30);
  commit();
  EXPECT_THAT(found_of({{1, 2, 3}}), ElementsAre(10, 20, 30));
  EXPECT_THAT(found_of({{1, 2, 3}, {5}}), ElementsAre(10, 30));
  EXPECT_THAT(found_of({{1, 2, 3}, {}}), IsEmpty());
}

TEST_F(SearchRunsTest, a_pair_that_came_twice_is_found_once_and_in_the_end_kept_once) {
  for (int i = 0; i < 4; ++i) {
    add(1, 10);
    commit();
  }
  EXPECT_THAT(found({1}), ElementsAre(10));
  EXPECT_EQ(number("SELECT sum(pairs) FROM search_runs"), 1);
}

TEST_F(SearchRunsTest, what_was_rolled_back_is_forgotten) {
  add(1, 10);
  commit();
  value(connection_->execute("BEGIN"));
  runs_.add(1, {20});
  value(runs_.write(*connection_));
  value(connection_->execute("ROLLBACK"));
  runs_.forget();
  add(1, 30);
  commit();
  EXPECT_THAT(found({1}), ElementsAre(10, 30));
}

TEST_F(SearchRunsTest, hashes_are_told_apart_at_both_ends_of_their_range) {
  const std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t hash : {std::uint64_t{0}, std::uint64_t{1}, highest >> 1,
                                   (highest >> 1) + 1, highest - 1, highest}) {
    add(hash, hash % 1000);
  }
  commit();
  expect_all_found();
}

TEST_F(SearchRunsTest, merging_leaves_out_what_is_older_than_every_message) {
  value(connection_->execute(
      "INSERT INTO messages (id, channel, state, outcome, received_at, changed_at, "
      "accepted_position, queued_position, last_ordinal, size) VALUES (30, 1, 0, 0, 0, 0, 0, 0, 0, "
      "0)"));
  for (const std::uint64_t message : {10, 20, 30, 40}) {
    runs_.add(1, {message});
    commit();
  }
  EXPECT_THAT(found({1}), ElementsAre(30, 40));
}

}  // namespace
}  // namespace cannula::store
