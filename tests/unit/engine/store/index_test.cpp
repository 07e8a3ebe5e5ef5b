// What the index answers, and that it is built anew when it cannot be used.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/store/index_schema.h"
#include "engine/store/sqlite.h"
#include "engine/store/store.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class IndexTest : public StoreFixture {
 protected:
  Options options() const override {
    Options options = StoreFixture::options();
    options.zero_ahead = 0;
    options.index_in_background = false;
    return options;
  }

  static MessageId accept(Store& store, const std::string& channel, std::string control_id = {}) {
    Accepted record = accepted(channel);
    record.control_id = std::move(control_id);
    return commit(store, {record})[0].id;
  }
  static std::vector<MessageId> ids(Store& store, const MessageQuery& query) {
    store.catch_up();
    std::vector<MessageId> found;
    for (const MessageRow& row : value(store.messages(query))) found.push_back(row.id);
    return found;
  }
  static std::vector<std::string> counted(Store& store) {
    store.catch_up();
    std::vector<std::string> counts;
    for (const StateCount& one : value(store.counts())) {
      counts.push_back(one.channel + (one.destination.empty() ? "" : ">" + one.destination) + " " +
                       one.state + " " + std::to_string(one.count));
    }
    return counts;
  }
  void expect_sound() const {
    const auto found = check(directory(), nullptr, keys());
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(render(found->damage), "");
  }
  std::filesystem::path index() const { return directory() / "index.db"; }
};

TEST_F(IndexTest, finds_messages_by_channel_state_control_id_and_destination) {
  const auto store = open();
  const MessageId a = accept(*store, "lab", "C1");
  const MessageId b = accept(*store, "lab", "C2");
  const MessageId c = accept(*store, "adt", "C1");
  commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr"}),
                  attempt(a, "lab", 1, "ehr", DeliveryState::delivered),
                  outcome(b, "lab", MessageState::queued, {"ehr", "archive"}),
                  attempt(b, "lab", 1, "ehr", DeliveryState::dead)});

  EXPECT_THAT(ids(*store, {}), ElementsAre(a, b, c));
  EXPECT_THAT(ids(*store, {.channel = "lab"}), ElementsAre(a, b));
  EXPECT_THAT(ids(*store, {.channel = "lab", .state = MessageState::done}), ElementsAre(a));
  EXPECT_THAT(ids(*store, {.state = MessageState::accepted}), ElementsAre(c));
  EXPECT_THAT(ids(*store, {.control_id = "C1"}), ElementsAre(a, c));
  EXPECT_THAT(ids(*store, {.channel = "adt", .control_id = "C1"}), ElementsAre(c));
  EXPECT_THAT(ids(*store, {.destination = "ehr"}), ElementsAre(a, b));
  EXPECT_THAT(ids(*store, {.destination = "ehr", .delivery_state = DeliveryState::dead}),
              ElementsAre(b));
  EXPECT_THAT(ids(*store, {.destination = "ehr", .delivery_state = DeliveryState::delivered}),
              ElementsAre(a));
  EXPECT_THAT(ids(*store, {.destination = "archive", .delivery_state = DeliveryState::queued}),
              ElementsAre(b));
  EXPECT_THAT(ids(*store, {.delivery_state = DeliveryState::dead}), ElementsAre(b));
  EXPECT_THAT(ids(*store, {.channel = "no such"}), IsEmpty());
  EXPECT_THAT(ids(*store, {.destination = "no such"}), IsEmpty());
}

TEST_F(IndexTest, pages_forwards_and_backwards) {
  const auto store = open();
  std::vector<MessageId> all;
  for (int i = 0; i < 9; ++i) all.push_back(accept(*store, i % 2 ? "lab" : "adt"));
  EXPECT_THAT(ids(*store, {.after = all[2], .limit = 3}), ElementsAre(all[3], all[4], all[5]));
  EXPECT_THAT(ids(*store, {.before = all[7], .newest_first = true, .limit = 2}),
              ElementsAre(all[6], all[5]));
  EXPECT_THAT(ids(*store, {.channel = "lab", .after = all[3], .limit = 2}),
              ElementsAre(all[5], all[7]));
  EXPECT_THAT(ids(*store, {.channel = "adt", .newest_first = true, .limit = 2}),
              ElementsAre(all[8], all[6]));
}

TEST_F(IndexTest, finds_messages_by_the_time_they_were_received) {
  const auto store = open();
  std::vector<MessageId> all;
  for (int i = 0; i < 4; ++i) {
    Accepted record = accepted("lab");
    record.at = 1000 + i;
    all.push_back(commit(*store, {record})[0].id);
  }
  EXPECT_THAT(ids(*store, {.received_from = 1001, .received_to = 1003}),
              ElementsAre(all[1], all[2]));
  EXPECT_THAT(ids(*store, {.channel = "lab", .received_from = 1003}), ElementsAre(all[3]));
}

TEST_F(IndexTest, counts_follow_every_change_of_state) {
  const auto store = open();
  const MessageId a = accept(*store, "lab");
  accept(*store, "lab");
  EXPECT_THAT(counted(*store), ElementsAre("lab accepted 2"));
  commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr"})});
  EXPECT_THAT(counted(*store), ElementsAre("lab accepted 1", "lab queued 1", "lab>ehr queued 1"));
  commit(*store, {attempt(a, "lab", 1, "ehr", DeliveryState::dead)});
  EXPECT_THAT(counted(*store), ElementsAre("lab accepted 1", "lab dead 1", "lab>ehr dead 1"));
  commit(*store, {discarded(a, "lab", 0)});
  EXPECT_THAT(counted(*store),
              ElementsAre("lab accepted 1", "lab discarded 1", "lab>ehr discarded 1"));
}

TEST_F(IndexTest, a_row_says_what_the_records_said) {
  const auto store = open();
  Accepted record = accepted("lab", "0123456789");
  record.partner = "reference-lab";
  record.control_id = "C9";
  const Committed taken = commit(*store, {record})[0];
  auto worked = outcome(taken.id, "lab", MessageState::queued, {"ehr"});
  worked.order_keys = {7, 8};
  worked.deliveries[0].order_keys = {9};
  worked.deliveries[0].priority = 1;
  const Position outcome_position = commit(*store, {worked})[0].position;
  auto failed = attempt(taken.id, "lab", 1, "ehr", DeliveryState::retrying, 3);
  failed.code = "T1";
  failed.reason = "connection refused";
  failed.next_at = 12345;
  const Position attempt_position = commit(*store, {failed})[0].position;
  store->catch_up();

  const MessageRow message = row(*store, taken.id);
  EXPECT_EQ(message.channel, "lab");
  EXPECT_EQ(message.event, "ORU^R01");
  EXPECT_EQ(message.partner, "reference-lab");
  EXPECT_EQ(message.control_id, "C9");
  EXPECT_EQ(message.order_keys, (OrderKeys{7, 8}));
  EXPECT_EQ(message.size, 10u);
  EXPECT_EQ(message.accepted_at_position, taken.position);
  EXPECT_EQ(message.received_at, record.at);
  EXPECT_EQ(message.changed_at, failed.at);

  const auto deliveries = value(store->deliveries(taken.id));
  ASSERT_THAT(deliveries, SizeIs(1));
  EXPECT_EQ(deliveries[0].destination, "ehr");
  EXPECT_EQ(deliveries[0].state, DeliveryState::retrying);
  EXPECT_EQ(deliveries[0].attempts, 3u);
  EXPECT_EQ(deliveries[0].order_keys, OrderKeys{9});
  EXPECT_EQ(deliveries[0].priority, 1);
  EXPECT_EQ(deliveries[0].next_at, 12345);
  EXPECT_EQ(deliveries[0].code, "T1");
  EXPECT_EQ(deliveries[0].outcome_position, outcome_position);
  EXPECT_EQ(deliveries[0].queued, outcome_position);
  EXPECT_EQ(deliveries[0].attempt_position, attempt_position);
  EXPECT_THAT(value(store->trail(taken.id)), SizeIs(3));
}

TEST_F(IndexTest, the_queue_of_a_channel_is_in_order_of_acceptance_and_resending) {
  const auto store = open();
  const MessageId a = accept(*store, "lab");
  const MessageId b = accept(*store, "lab");
  commit(*store, {outcome(a, "lab", MessageState::parked)});
  commit(*store, {resent(a, "lab", 0)});
  store->catch_up();
  const auto waiting = value(store->waiting_messages("lab", 0, 10));
  ASSERT_THAT(waiting, SizeIs(2));
  EXPECT_EQ(waiting[0].id, b);
  EXPECT_EQ(waiting[1].id, a);
  EXPECT_LT(waiting[1].accepted, waiting[0].accepted);
  EXPECT_THAT(value(store->waiting_messages("lab", waiting[0].queued, 10)), SizeIs(1));
  EXPECT_THAT(value(store->waiting_messages("lab", 0, 1)), SizeIs(1));
}

TEST_F(IndexTest, who_asks_is_told_that_the_index_is_behind_and_waits_no_longer) {
  Options background = options();
  background.index_in_background = true;
  const auto store = open(background);
  accept(*store, "lab");
  EXPECT_TRUE(store->catch_up_within(std::chrono::seconds(60)));
  const auto other = value(Connection::open(index(), Connection::Mode::create));
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));  // the index cannot be written, as on a full disk
  accept(*store, "lab");
  const auto begun = std::chrono::steady_clock::now();
  const auto behind = store->catch_up_within(std::chrono::milliseconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(8));
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().code, "J303");
  EXPECT_THAT(behind.error().message, testing::ContainsRegex("[1-9][0-9]* bytes behind"));
  EXPECT_THAT(value(store->messages({})), SizeIs(1)) << "what it has is there to be asked";
  ASSERT_TRUE(other->execute("ROLLBACK"));
  EXPECT_TRUE(store->catch_up_within(std::chrono::seconds(60)));
  EXPECT_THAT(value(store->messages({})), SizeIs(2));
}

TEST_F(IndexTest, the_queue_of_a_destination_is_in_order_of_outcomes) {
  const auto store = open();
  const MessageId a = accept(*store, "lab");
  const MessageId b = accept(*store, "lab");
  commit(*store, {outcome(b, "lab", MessageState::queued, {"ehr", "ehr"})});
  commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr"})});
  commit(*store, {attempt(b, "lab", 2, "ehr", DeliveryState::retrying)});
  store->catch_up();
  const auto waiting = value(store->waiting_deliveries("lab", "ehr", 0, 0, 10));
  ASSERT_THAT(waiting, SizeIs(3));
  EXPECT_EQ(waiting[0].id, b);
  EXPECT_EQ(waiting[1].ordinal, 2u);
  EXPECT_EQ(waiting[2].id, a);
  const auto rest =
      value(store->waiting_deliveries("lab", "ehr", waiting[0].queued, waiting[0].ordinal, 10));
  ASSERT_THAT(rest, SizeIs(2));
  EXPECT_EQ(rest[0].ordinal, 2u);

  commit(*store, {attempt(b, "lab", 1, "ehr", DeliveryState::dead)});
  commit(*store, {resent(b, "lab", 1)});
  store->catch_up();
  const auto again = value(store->waiting_deliveries("lab", "ehr", 0, 0, 10));
  ASSERT_THAT(again, SizeIs(3));
  EXPECT_EQ(again[2].ordinal, 1u) << "what is resent goes to the end";
}

TEST_F(IndexTest, remembers_which_responses_are_still_to_be_handled) {
  const auto store = open();
  const MessageId a = accept(*store, "lab");
  auto delivered = attempt(a, "lab", 1, "ehr", DeliveryState::delivered);
  delivered.wants_handler = true;
  commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr"}), delivered});
  store->catch_up();
  EXPECT_THAT(value(store->waiting_handlers("lab")), SizeIs(1));
  auto handled = outcome(a, "lab", MessageState::queued);
  handled.cause = 1;
  commit(*store, {handled});
  store->catch_up();
  EXPECT_THAT(value(store->waiting_handlers("lab")), IsEmpty());
}

TEST_F(IndexTest, keeps_the_last_value_of_each_key_of_script_state) {
  const auto store = open();
  const MessageId a = accept(*store, "lab");
  auto worked = outcome(a, "lab", MessageState::filtered);
  worked.state_writes = {{"x", "1"}, {"y", "2"}, {"x", "3"}};
  commit(*store, {worked});
  worked.state_writes = {{"y", std::nullopt}, {"z", "4"}};
  commit(*store, {worked});
  store->catch_up();
  const auto state = value(store->script_state("lab"));
  ASSERT_THAT(state, SizeIs(2));
  EXPECT_EQ(state[0].key, "x");
  EXPECT_EQ(state[0].value, "3");
  EXPECT_EQ(state[1].key, "z");
  EXPECT_THAT(value(store->script_state("adt")), IsEmpty());
}

TEST_F(IndexTest, keeps_what_wires_remember_apart_from_the_state_of_scripts) {
  {
    const auto store = open();
    Accepted accepted;
    accepted.channel = "lab";
    accepted.body = make_bytes("MSH|");
    accepted.wire_state = {{"from LAB|", "17 9f"}, {"from X|", "1 2"}};
    const MessageId id = commit(*store, {accepted}).at(0).id;
    auto worked = outcome(id, "lab", MessageState::queued, {"ehr"});
    worked.state_writes = {{"from LAB|", "1"}};
    auto tried = attempt(id, "lab", 1, "ehr", DeliveryState::delivered);
    tried.wire_state = {{"to ehr", "3"}, {"from X|", std::nullopt}};
    commit(*store, {worked, tried});
    store->close();
  }
  std::filesystem::remove(directory() / "index.db");
  const auto store = open();
  const auto remembered = value(store->wire_state("lab"));
  ASSERT_THAT(remembered, SizeIs(2));
  EXPECT_EQ(remembered[0].key, "from LAB|");
  EXPECT_EQ(remembered[0].value, "17 9f");
  EXPECT_EQ(remembered[1].key, "to ehr");
  EXPECT_THAT(value(store->script_state("lab")), SizeIs(1));
  EXPECT_THAT(value(store->wire_state("adt")), IsEmpty());
}

TEST_F(IndexTest, is_built_anew_while_the_store_is_open_when_its_file_is_taken_away) {
  for (const bool replaced : {false, true}) {
    Options watched = options();
    watched.index_in_background = true;
    std::atomic<int> told{0};
    watched.on_index_changed = [&](const Error& error) {
      EXPECT_EQ(error.code, "J302");
      ++told;
    };
    const auto store = open(watched);
    const MessageId a = accept(*store, "lab", "C1");
    store->catch_up();
    std::filesystem::rename(index(), directory() / "away");
    if (replaced) std::filesystem::copy_file(directory() / "away", index());
    while (told == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const MessageId b = accept(*store, "lab", "C2");
    store->catch_up();
    EXPECT_TRUE(value(store->message(a)).has_value());
    EXPECT_TRUE(value(store->message(b)).has_value());
    EXPECT_TRUE(std::filesystem::exists(index()));
    EXPECT_EQ(told, 1);
    store->close();
    EXPECT_THAT(value(check(directory())).damage, IsEmpty());
  }
}

TEST_F(IndexTest, goes_on_with_messages_it_no_longer_has_in_memory) {
  MessageId a;
  {
    const auto store = open();
    a = accept(*store, "lab", "C1");
    commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr", "archive"})});
  }
  {
    const auto store = open();
    EXPECT_EQ(store->recovery().records_replayed, 0u);
    commit(*store, {attempt(a, "lab", 1, "ehr", DeliveryState::delivered)});
  }
  const auto store = open();
  commit(*store, {attempt(a, "lab", 2, "archive", DeliveryState::delivered)});
  store->catch_up();
  EXPECT_EQ(state(*store, a), MessageState::done);
  EXPECT_EQ(row(*store, a).control_id, "C1");
  EXPECT_THAT(value(store->trail(a)), SizeIs(4));
  store->close();
  expect_sound();
}

class IndexRebuildTest : public IndexTest {
 protected:
  void SetUp() override {
    const auto store = open();
    id_ = accept(*store, "lab");
    commit(*store, {outcome(id_, "lab", MessageState::queued, {"ehr"})});
  }
  void expect_rebuilt(std::string_view why) const {
    {
      const auto store = open();
      EXPECT_TRUE(store->recovery().index_rebuilt);
      EXPECT_THAT(store->recovery().index_rebuilt_why, HasSubstr(std::string(why)));
      EXPECT_EQ(state(*store, id_), MessageState::queued);
    }
    expect_sound();
  }
  void execute(const std::string& sql) const {
    const auto connection = value(Connection::open(index(), Connection::Mode::create));
    ASSERT_TRUE(connection->execute(sql));
  }
  MessageId id_;
};

TEST_F(IndexRebuildTest, when_it_is_missing) {
  std::filesystem::remove(index());
  expect_rebuilt("there was none");
}

TEST_F(IndexRebuildTest, when_it_is_no_database) {
  std::ofstream(index(), std::ios::trunc) << std::string(10'000, 'x');
  expect_rebuilt("not a database");
}

TEST_F(IndexRebuildTest, when_a_page_is_damaged) {
  std::fstream file(index(), std::ios::in | std::ios::out | std::ios::binary);
  for (int page = 1; page < 12; ++page) {
    file.seekp(4096 * page);
    file << std::string(512, '\x7F');
  }
  file.close();
  expect_rebuilt("");
}

TEST_F(IndexRebuildTest, when_it_belongs_to_another_store) {
  execute("UPDATE progress SET store = '0123456789abcdef'");
  expect_rebuilt("belongs to store 0123456789abcdef");
}

TEST_F(IndexRebuildTest, when_it_is_ahead_of_the_journal) {
  execute("UPDATE progress SET indexed_up_to = indexed_up_to + 100000");
  expect_rebuilt("ahead of the journal");
}

TEST_F(IndexRebuildTest, when_the_journal_has_other_records_than_it_read) {
  execute("UPDATE progress SET last_checksum = last_checksum + 1");
  expect_rebuilt("another record");
}

TEST_F(IndexRebuildTest, when_a_newer_version_made_it) {
  execute("PRAGMA user_version = 1000");
  expect_rebuilt("a newer Cannula wrote it, in version 1000");
}

TEST_F(IndexRebuildTest, but_not_when_it_fits) {
  const auto store = open();
  EXPECT_FALSE(store->recovery().index_rebuilt);
}

TEST_F(IndexRebuildTest, check_reports_rows_that_do_not_follow_from_the_journal) {
  execute("UPDATE messages SET state = 2");
  const auto found = value(check(directory(), nullptr, keys()));
  EXPECT_THAT(render(found.damage), HasSubstr("J204"));
  EXPECT_THAT(render(found.damage), HasSubstr("index table messages"));
}

TEST_F(IndexTest, is_built_again_while_open_when_its_file_turns_out_to_be_damaged) {
  Options background = options();
  background.index_in_background = true;
  const auto store = open(background);
  std::vector<MessageId> all;
  for (int i = 0; i < 50; ++i) all.push_back(accept(*store, "lab", std::to_string(i)));
  store->catch_up();
  {
    const auto connection = value(Connection::open(index(), Connection::Mode::create));
    ASSERT_TRUE(connection->execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  std::ofstream(index(), std::ios::in | std::ios::out | std::ios::binary)
      .write(std::string(65'536, '\x55').data(), 65'536);
  for (int i = 0; i < 50; ++i) {
    all.push_back(accept(*store, "lab", std::to_string(i)));
    store->catch_up();
  }
  EXPECT_THAT(ids(*store, {}), testing::ElementsAreArray(all));
  store->close();
  expect_sound();
}

// The indexer itself may have what it needs in memory for as long as it runs.
TEST_F(IndexTest, is_built_again_while_open_when_a_reader_finds_it_damaged) {
  Options watched = options();
  watched.index_in_background = true;
  std::atomic<int> told{0};
  watched.on_index_changed = [&](const Error&) { ++told; };
  const auto store = open(watched);
  std::vector<MessageId> all;
  for (int i = 0; i < 50; ++i) all.push_back(accept(*store, "lab", std::to_string(i)));
  store->catch_up();
  {
    const auto connection = value(Connection::open(index(), Connection::Mode::create));
    ASSERT_TRUE(connection->execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  const auto size = std::filesystem::file_size(index());
  std::fstream(index(), std::ios::in | std::ios::out | std::ios::binary)
      .seekp(4096)
      .write(std::string(size - 4096, '\x55').data(), static_cast<std::streamsize>(size - 4096));
  const auto broken = store->messages({});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, "J302");
  for (int i = 0; i < 6000 && !store->messages({}); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  store->catch_up();
  EXPECT_THAT(ids(*store, {}), testing::ElementsAreArray(all));
  EXPECT_EQ(told, 1);
  store->close();
  expect_sound();
}

TEST_F(IndexTest, leaves_no_large_wal_behind_when_it_is_at_rest) {
  Options background = options();
  background.index_in_background = true;
  const auto store = open(background);
  for (int i = 0; i < 3000; ++i) accept(*store, "lab", std::to_string(i));
  store->catch_up();
  const std::string log = index().string() + "-wal";
  ASSERT_TRUE(std::filesystem::exists(log));
  for (int i = 0; i < 6000 && std::filesystem::file_size(log) > (1u << 20); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_LE(std::filesystem::file_size(log), 1u << 20);
}

TEST_F(IndexTest, is_built_again_while_open_when_a_row_is_gone) {
  Options background = options();
  background.index_in_background = true;
  const auto store = open(background);
  const MessageId lost = accept(*store, "lab"), other = accept(*store, "lab");
  store->catch_up();
  {
    const auto connection = value(Connection::open(index(), Connection::Mode::create));
    ASSERT_TRUE(
        connection->execute("DELETE FROM messages WHERE id = " + std::to_string(lost.value)));
  }
  ASSERT_THAT(ids(*store, {}), ElementsAre(other));
  commit(*store, {outcome(lost, "lab", MessageState::queued, {"ehr"})});
  EXPECT_THAT(ids(*store, {.state = MessageState::queued}), ElementsAre(lost));
  EXPECT_THAT(ids(*store, {}), ElementsAre(lost, other));
  store->close();
  expect_sound();
}

TEST_F(IndexRebuildTest, says_how_far_it_is) {
  {
    const auto store = open();
    for (int i = 0; i < 21; ++i) {
      commit(*store, std::vector<Record>(1000, accepted("lab")));
    }
  }
  std::filesystem::remove(index());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> said;
  Options watched = options();
  watched.on_index_progress = [&](std::uint64_t done, std::uint64_t all) {
    said.emplace_back(done, all);
  };
  const auto store = open(watched);
  ASSERT_EQ(said.size(), 2u);
  EXPECT_GT(said[0].first, 0u);
  EXPECT_LT(said[0].first, said[1].first);
  EXPECT_LE(said[1].first, said[1].second);
  EXPECT_EQ(said[0].second, said[1].second);
}

// Otherwise the next start reads the WAL, which may have some 30 MB, before it can do anything.
TEST_F(IndexTest, a_store_that_is_closed_leaves_no_wal) {
  const auto store = open();
  accept(*store, "lab", "one");
  store->catch_up();
  EXPECT_EQ(value(store->counts()).size(), 1u);  // opens a connection that reads
  store->close();
  EXPECT_FALSE(std::filesystem::exists(index().string() + "-wal"));
}

// An index that an earlier version made must get the same tables as a new one: a step that has
// shipped stays as it is, byte for byte. When this fails, put the old step back and add a new one
// behind it.
TEST(IndexSchemaTest, a_step_that_has_shipped_is_never_changed) {
  const std::vector<std::uint64_t> shipped = {
      12010584991441743072u, 9711778653548496669u, 7085163429689375292u, 1904771160300369536u,
      6880011568363336510u,  5811718472509372355u, 2244321217435466191u, 14695981039346656037u};
  ASSERT_EQ(index_migrations().size(), shipped.size());
  for (std::size_t i = 0; i < shipped.size(); ++i) {
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (const char c : index_migrations()[i].sql) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    EXPECT_EQ(hash, shipped[i]) << "step " << i + 1;
  }
}

}  // namespace
}  // namespace cannula::store
