#include "engine/store/retention.h"

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/transport/wall_clock.h"
#include "engine/store/journal_findings.h"
#include "engine/store/packed_segment.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr Timestamp kHour = 3'600'000'000;
// The records of the fixture happened before; their ids are of now.
const Timestamp kLater = now_microseconds() + 100 * kHour;

class RetentionTest : public StoreFixture {
 protected:
  Options options() const override {
    Options options = StoreFixture::options();
    options.zero_ahead = 0;
    options.segment_size = 20'000;
    return options;
  }

  static constexpr std::uint64_t kKey = 4711;

  // Taken in, worked, delivered.
  static MessageId done(Store& store, const std::string& channel, unsigned number,
                        std::uint64_t search_key = kKey) {
    const MessageId id =
        commit(store, {accepted(channel, "DOE^JANE " + noise(number, 1500))}).front().id;
    Outcome worked = outcome(id, channel, MessageState::queued, {"ehr"});
    worked.trace = "{\"log\":\"DOE^JANE\"}";
    worked.search_keys = {search_key};
    worked.state_writes = {{"last", std::to_string(number)}};
    commit(store, {worked, attempt(id, channel, 1, "ehr", DeliveryState::delivered)});
    return id;
  }
  static std::vector<MessageId> many_done(Store& store, const std::string& channel, unsigned count,
                                          std::uint64_t search_key = kKey) {
    std::vector<MessageId> ids;
    for (unsigned i = 0; i < count; ++i) ids.push_back(done(store, channel, i, search_key));
    return ids;
  }

  // What is done is kept for 10 hours, its bodies for 5; all else for ever.
  static PruneOrder order() {
    PruneOrder order;
    order.now = kLater;
    order.keep = [](const std::string&, MessageState state) {
      return state == MessageState::done ? Keep{10 * kHour, 5 * kHour} : Keep{};
    };
    return order;
  }
  static PruneOrder bodies_only() {
    PruneOrder bodies = order();
    bodies.keep = [](const std::string&, MessageState) { return Keep{{}, 5 * kHour}; };
    return bodies;
  }

  static PruneReport prune(Store& store, const PruneOrder& order) {
    return value(store.prune(order));
  }

  std::uint64_t journal_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory() / "journal")) {
      bytes += file.file_size();
    }
    return bytes;
  }
  std::string all_bytes() const {
    std::string bytes;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    return bytes;
  }
  std::size_t segments_named(std::string_view suffix) const {
    std::size_t count = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory() / "journal")) {
      count += file.path().string().ends_with(suffix) ? 1 : 0;
    }
    return count;
  }

  // The journal holds, and the index is what a new one would be.
  void expect_sound(const Options& with) const {
    const auto found = value(check(directory(), nullptr, with.keys));
    EXPECT_EQ(render(found.damage), "");
    EXPECT_TRUE(found.index_compared);
  }
  void expect_sound() const { expect_sound(options()); }

  static MessageQuery by_key(std::uint64_t key) {
    MessageQuery query;
    query.search_keys = {{key}};
    return query;
  }
};

TEST_F(RetentionTest, what_is_due_is_forgotten_and_its_room_given_back) {
  {
    const auto store = open();
    const auto ids = many_done(*store, "lab", 60);
    const MessageId waits = commit(*store, {accepted("lab", "waits")}).front().id;
    const std::uint64_t before = journal_bytes();
    const PruneReport report = prune(*store, order());
    EXPECT_EQ(report.messages(), 60u);
    EXPECT_GT(report.channels.at("lab").bytes, 60u * 1500);
    EXPECT_LT(journal_bytes(), before / 10);
    EXPECT_EQ(value(store->message(ids.front())), std::nullopt);
    EXPECT_EQ(value(store->message(ids.back())), std::nullopt);
    EXPECT_THAT(value(store->messages(by_key(kKey))), IsEmpty());
    EXPECT_THAT(value(store->trail(ids.front())), IsEmpty());
    EXPECT_EQ(state(*store, waits), MessageState::accepted);
    EXPECT_EQ(*std::get<Accepted>(value(store->trail(waits))[0]).body, "waits");
    for (const StateCount& one : value(store->counts())) {
      if (one.state != "done" && one.destination.empty()) continue;
      EXPECT_EQ(one.count, 0u) << one.state;
    }
    EXPECT_EQ(value(store->owed()).messages, 0u);
  }
  expect_sound();
  EXPECT_EQ(render(open()->recovery().damage), "");
}

TEST_F(RetentionTest, segments_with_nothing_left_in_them_go_and_none_is_missing) {
  Position begin = 0;
  {
    const auto store = open();
    many_done(*store, "lab", 60);
    EXPECT_GT(prune(*store, order()).segments_removed, 3u);
    begin = store->begin();
    EXPECT_GT(begin, 1u);
    many_done(*store, "lab", 30);
  }
  {
    const auto store = open();
    EXPECT_EQ(render(store->recovery().damage), "");
    EXPECT_EQ(store->begin(), begin);
    EXPECT_FALSE(store->recovery().index_rebuilt);
  }
  expect_sound();
  for (const char* suffix : {"seg", "pack"}) {
    std::filesystem::remove(directory() / "journal" / fmt::format("{:020}.{}", begin, suffix));
  }
  const auto found = value(check(directory(), nullptr, keys()));
  EXPECT_THAT(render(found.damage), HasSubstr("J203"));
}

TEST_F(RetentionTest, bodies_go_before_their_messages) {
  std::vector<MessageId> ids;
  MessageRow row_before;
  {
    const auto store = open();
    ids = many_done(*store, "lab", 40);
    store->catch_up();
    row_before = row(*store, ids[7]);
    const std::uint64_t before = journal_bytes();
    const PruneReport report = prune(*store, bodies_only());
    EXPECT_EQ(report.messages(), 0u);
    EXPECT_EQ(report.bodies(), 40u);
    EXPECT_LT(journal_bytes(), before / 2);
    EXPECT_EQ(prune(*store, bodies_only()).bodies(), 0u) << "they were removed before";
  }
  for (const bool anew : {false, true}) {
    if (anew) std::filesystem::remove(directory() / "index.db");
    const auto store = open();
    const MessageRow after = row(*store, ids[7]);
    EXPECT_EQ(after.bodies_removed, kLater);
    EXPECT_EQ(after.size, row_before.size);
    EXPECT_EQ(after.state, MessageState::done);
    EXPECT_EQ(after.changed_at, row_before.changed_at);
    EXPECT_THAT(value(store->messages(by_key(kKey))), SizeIs(40));
    const auto trail = value(store->trail(ids[7]));
    ASSERT_THAT(trail, SizeIs(3));
    const auto& taken = std::get<Accepted>(trail[0]);
    EXPECT_EQ(taken.body, nullptr);
    EXPECT_EQ(taken.event, "ORU^R01");
    EXPECT_EQ(taken.bodies_removed, kLater);
    EXPECT_EQ(std::get<Outcome>(trail[1]).deliveries[0].payload, nullptr);
    EXPECT_EQ(std::get<Outcome>(trail[1]).trace, "");
    EXPECT_EQ(std::get<Attempt>(trail[2]).response, nullptr);
    EXPECT_EQ(std::get<Attempt>(trail[2]).state, DeliveryState::delivered);
    const auto state = value(store->script_state("lab"));
    ASSERT_THAT(state, SizeIs(1));
    EXPECT_EQ(*state[0].value, "39");
  }
  expect_sound();
  {
    const auto store = open();
    EXPECT_EQ(prune(*store, order()).messages(), 40u);
    EXPECT_EQ(value(store->message(ids[7])), std::nullopt);
  }
  expect_sound();
}

TEST_F(RetentionTest, what_is_not_at_its_end_is_kept_whatever_its_age) {
  const auto store = open();
  const auto take = [&] { return commit(*store, {accepted("lab", noise(1, 1500))}).front().id; };
  const MessageId waits = take(), parked = take(), held = take(), retrying = take(),
                  handler = take();
  commit(*store, {outcome(parked, "lab", MessageState::parked)});
  commit(*store, {outcome(held, "lab", MessageState::queued, {"ehr"}),
                  attempt(held, "lab", 1, "ehr", DeliveryState::held)});
  commit(*store, {outcome(retrying, "lab", MessageState::queued, {"ehr"}),
                  attempt(retrying, "lab", 1, "ehr", DeliveryState::retrying)});
  // Its script gave it up when it saw one answer, while another delivery still waits.
  Outcome after_answer = outcome(handler, "lab", MessageState::dead);
  after_answer.cause = 1;
  commit(*store, {outcome(handler, "lab", MessageState::queued, {"ehr", "archive"}),
                  attempt(handler, "lab", 1, "ehr", DeliveryState::delivered), after_answer});
  PruneOrder everything = order();
  everything.keep = [](const std::string&, MessageState) { return Keep{kHour, kHour}; };
  const PruneReport report = prune(*store, everything);
  EXPECT_EQ(report.messages() + report.bodies(), 0u);
  for (const MessageId id : {waits, parked, held, retrying, handler}) {
    EXPECT_NE(std::get<Accepted>(value(store->trail(id))[0]).body, nullptr);
  }
}

TEST_F(RetentionTest, what_is_held_by_law_is_kept_with_its_bodies) {
  const auto store = open();
  const auto ids = many_done(*store, "lab", 30);
  const MessageId held = done(*store, "lab", 31, 99);
  PruneOrder with_hold = order();
  with_hold.held = [](const MessageRow&, const FoundBy& found_by) {
    EXPECT_TRUE(found_by.all);
    const auto& keys = found_by.keys;
    return std::find(keys.begin(), keys.end(), 99u) == keys.end() ? "" : "H1";
  };
  const PruneReport report = prune(*store, with_hold);
  EXPECT_EQ(report.messages(), 30u);
  EXPECT_EQ(report.held.at("H1"), 1u);
  EXPECT_THAT(*std::get<Accepted>(value(store->trail(held))[0]).body, HasSubstr("DOE^JANE"));
  EXPECT_EQ(prune(*store, order()).messages(), 1u) << "the hold is over";
}

// Whom it is of cannot be known, so whoever holds patients' messages is told so.
TEST_F(RetentionTest, what_it_was_found_by_may_be_more_where_a_record_is_damaged) {
  const auto store = open();
  const MessageId id = commit(*store, {accepted("lab", "DOE^JANE")}).front().id;
  const auto ended = commit(*store, {outcome(id, "lab", MessageState::done)}).front().position;
  many_done(*store, "lab", 20);
  store->catch_up();
  std::fstream file(directory() / "journal" / segment_name(kFirstPosition),
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(file_offset(kFirstPosition, ended) + kFrameHeaderSize));
  file.write("damaged", 7);
  file.close();
  PruneOrder with_hold = order();
  std::size_t doubtful = 0;
  with_hold.held = [&](const MessageRow& row, const FoundBy& found_by) {
    if (row.id != id) return "";
    doubtful += found_by.all ? 0 : 1;
    return found_by.all ? "" : "H1";
  };
  EXPECT_EQ(prune(*store, with_hold).messages(), 20u);
  EXPECT_EQ(doubtful, 1u);
}

TEST_F(RetentionTest, a_clock_that_was_wrong_when_it_ended_makes_no_message_older_than_its_id) {
  const auto store = open();
  const MessageId id = commit(*store, {accepted("lab", "DOE^JANE")}).front().id;
  Outcome worked = outcome(id, "lab", MessageState::done);
  worked.at = 1;  // 1970
  commit(*store, {worked});
  store->catch_up();
  PruneOrder soon = order();
  soon.now = now_microseconds() + 9 * kHour;
  EXPECT_EQ(prune(*store, soon).messages(), 0u);
  EXPECT_EQ(prune(*store, order()).messages(), 1u);
}

TEST_F(RetentionTest, script_state_and_the_worklist_outlive_the_records_that_made_them) {
  std::vector<UnmappedRow> unmapped;
  {
    const auto store = open();
    for (unsigned i = 0; i < 40; ++i) {
      const MessageId id = commit(*store, {accepted("lab", noise(i, 1500))}).front().id;
      Outcome worked = outcome(id, "lab", MessageState::filtered);
      worked.state_writes = {{"count", std::to_string(i)}, {fmt::format("seen-{}", i % 3), "true"}};
      if (i == 20) worked.state_writes.push_back({"seen-1", std::nullopt});
      if (i > 20) worked.state_writes.erase(worked.state_writes.begin() + 1);
      worked.misses = {{"units", fmt::format("mg{}", i % 2), "milligrams"}};
      commit(*store, {worked});
    }
    store->catch_up();
    unmapped = value(store->unmapped("", 10));
    PruneOrder filtered = order();
    filtered.keep = [](const std::string&, MessageState) { return Keep{kHour, {}}; };
    EXPECT_EQ(prune(*store, filtered).messages(), 40u);
  }
  expect_sound();
  for (int round = 0; round < 2; ++round) {
    std::filesystem::remove(directory() / "index.db");
    const auto store = open();
    const auto state = value(store->script_state("lab"));
    ASSERT_THAT(state, SizeIs(3));  // count, seen-0, seen-2
    EXPECT_EQ(*state[0].value, "39");
    EXPECT_EQ(state[1].key, "seen-0");
    const auto again = value(store->unmapped("", 10));
    ASSERT_THAT(again, SizeIs(2));
    EXPECT_EQ(again[0].count, unmapped[0].count);
    EXPECT_EQ(again[0].text, "milligrams");
    EXPECT_EQ(again[1].sample.value, unmapped[1].sample.value);
    // It goes on from there, and survives being pruned again.
    const MessageId id = commit(*store, {accepted("lab", noise(90, 9000))}).front().id;
    Outcome worked = outcome(id, "lab", MessageState::filtered);
    worked.misses = {{"units", "mg0", "milligrams"}};
    commit(*store, {worked});
    store->catch_up();
    unmapped = value(store->unmapped("", 10));
    PruneOrder filtered = order();
    filtered.keep = [](const std::string&, MessageState) { return Keep{kHour, {}}; };
    prune(*store, filtered);
  }
  expect_sound();
}

// Sequence numbers stand in the records of messages and attempts, whose script leaves nothing.
TEST_F(RetentionTest, what_wires_remember_outlives_the_records_that_made_it) {
  {
    const auto store = open();
    for (unsigned i = 0; i < 40; ++i) {
      auto taken = accepted("lab", noise(i, 1500));
      taken.wire_state = {{"from LAB|", std::to_string(i)}};
      const MessageId id = commit(*store, {taken}).front().id;
      commit(*store, {outcome(id, "lab", MessageState::queued, {"ehr"})});
      auto tried = attempt(id, "lab", 1, "ehr", DeliveryState::delivered);
      tried.wire_state = {{"to ehr", std::to_string(i + 100)}};
      commit(*store, {tried});
    }
    store->catch_up();
    EXPECT_EQ(prune(*store, order()).messages(), 40u);
  }
  std::filesystem::remove(directory() / "index.db");
  {
    const auto store = open();
    const auto remembered = value(store->wire_state("lab"));
    ASSERT_THAT(remembered, SizeIs(2));
    EXPECT_EQ(remembered[0].key, "from LAB|");
    EXPECT_EQ(*remembered[0].value, "39");
    EXPECT_EQ(*remembered[1].value, "139");
  }
  expect_sound();
}

TEST_F(RetentionTest, nothing_of_a_forgotten_patient_is_left_in_a_store_that_is_not_sealed) {
  Options plain = options();
  plain.keys = nullptr;
  {
    const auto store = open(plain);
    many_done(*store, "lab", 30);
    store->catch_up();
    EXPECT_THAT(all_bytes(), HasSubstr("DOE^JANE"));
    prune(*store, order());
    EXPECT_THAT(all_bytes(), Not(HasSubstr("DOE^JANE")));
  }
  EXPECT_THAT(all_bytes(), Not(HasSubstr("DOE^JANE")));
  expect_sound(plain);
}

TEST_F(RetentionTest, segments_that_somebody_copies_stay_until_the_next_time) {
  const auto store = open();
  many_done(*store, "lab", 30);
  auto pin = store->pin_segments();
  const std::size_t segments = segments_named(".seg");
  const PruneReport report = prune(*store, order());
  EXPECT_EQ(report.messages(), 30u);
  EXPECT_GT(report.segments_pinned, 0u);
  EXPECT_GE(segments_named(".seg"), segments);
  EXPECT_EQ(segments_named(".pack") + segments_named(".new"), 0u);
  EXPECT_EQ(value(store->owed()).messages, 30u);
  pin.reset();
  EXPECT_GT(prune(*store, order()).bytes_freed, 30u * 1500);
  EXPECT_EQ(value(store->owed()).messages, 0u);
}

TEST_F(RetentionTest, a_damaged_segment_is_left_for_who_may_mend_it) {
  Position damaged = 0;
  {
    const auto store = open();
    const auto ids = many_done(*store, "lab", 30);
    store->catch_up();
    damaged = row(*store, ids[2]).accepted_at_position;
  }
  {
    const auto path = directory() / "journal" / "00000000000000000001.seg";
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(kSegmentHeaderSize + damaged + 100));
    file.write("XXXX", 4);
  }
  const auto store = open();
  const PruneReport report = prune(*store, order());
  EXPECT_EQ(report.segments_damaged, 1u);
  EXPECT_GT(report.segments_packed, 1u);
  EXPECT_TRUE(std::filesystem::exists(directory() / "journal" / "00000000000000000001.seg"));
}

TEST_F(RetentionTest, little_that_was_forgotten_waits_for_more_but_not_for_ever) {
  const auto store = open();
  many_done(*store, "lab", 30);
  many_done(*store, "lab", 1, 99);
  PruneOrder patient = order();
  patient.within = 24 * kHour;
  patient.keep = [](const std::string& channel, MessageState) {
    return channel == "adt" ? Keep{kHour, {}} : Keep{};
  };
  done(*store, "adt", 1);
  many_done(*store, "lab", 30);
  EXPECT_EQ(prune(*store, patient).segments_packed, 0u);
  EXPECT_EQ(value(store->owed()).messages, 1u);
  EXPECT_EQ(value(store->owed()).since, kLater);
  patient.now += 25 * kHour;
  EXPECT_GT(prune(*store, patient).segments_packed, 0u);
  EXPECT_EQ(value(store->owed()).messages, 0u);
}

TEST_F(RetentionTest, a_dry_run_tells_and_changes_nothing) {
  const auto store = open();
  many_done(*store, "lab", 30);
  store->catch_up();
  const Position end = store->end();
  PruneOrder dry = order();
  dry.dry_run = true;
  const PruneReport report = prune(*store, dry);
  EXPECT_EQ(report.messages(), 30u);
  EXPECT_GT(report.channels.at("lab").bytes, 30u * 1500);
  EXPECT_EQ(store->end(), end);
  EXPECT_EQ(prune(*store, dry).messages(), 30u);
}

TEST_F(RetentionTest, what_another_message_was_made_of_stays_as_long_as_that) {
  const auto store = open();
  const MessageId original = done(*store, "lab", 1);
  Accepted edit = accepted("lab", noise(2, 1500));
  edit.edited_from = original;
  edit.at = kLater;
  const MessageId edited = commit(*store, {edit}).front().id;
  store->catch_up();
  PruneReport report = prune(*store, order());
  EXPECT_EQ(report.messages(), 0u);
  EXPECT_EQ(report.bodies(), 1u);
  EXPECT_EQ(report.held.size(), 1u);
  EXPECT_NE(value(store->message(original)), std::nullopt);
  commit(*store, {discarded(edited, "lab", 0)});
  PruneOrder all = order();
  all.now = kLater + 1000 * kHour;
  all.keep = [](const std::string&, MessageState) { return Keep{10 * kHour, {}}; };
  report = prune(*store, all);
  EXPECT_EQ(report.messages(), 1u) << "the later one first";
  EXPECT_EQ(prune(*store, all).messages(), 1u);
}

TEST_F(RetentionTest, it_ends_where_it_is_told_to_and_goes_on_the_next_time) {
  {
    const auto store = open();
    many_done(*store, "lab", 60);
    PruneOrder ended = order();
    ended.go_on = [](const PruneReport& so_far) { return so_far.segments_packed < 2; };
    const PruneReport report = prune(*store, ended);
    EXPECT_TRUE(report.ended_early);
    EXPECT_EQ(report.segments_packed, 2u);
    EXPECT_GT(value(store->owed()).bytes, 0u);
  }
  expect_sound();
  {
    const auto store = open();
    EXPECT_GT(prune(*store, order()).segments_packed, 0u);
    EXPECT_EQ(value(store->owed()).messages, 0u);
  }
  expect_sound();
}

TEST_F(RetentionTest, a_store_takes_messages_and_lets_them_go_again_and_again) {
  std::uint64_t most = 0;
  for (unsigned round = 0; round < 8; ++round) {
    const auto store = open();
    many_done(*store, "lab", 20);
    commit(*store, {accepted("adt", noise(round, 300))});
    prune(*store, round % 2 == 0 ? bodies_only() : order());
    most = std::max(most, journal_bytes());
  }
  expect_sound();
  std::filesystem::remove(directory() / "index.db");
  const auto store = open();
  EXPECT_EQ(render(store->recovery().damage), "");
  EXPECT_THAT(value(store->messages({.channel = "adt"})), SizeIs(8));
  EXPECT_LT(most, 150'000u);
}

TEST_F(RetentionTest, the_table_of_a_packed_segment_is_made_anew_from_its_records_when_damaged) {
  MessageId waits;
  {
    const auto store = open();
    waits = commit(*store, {accepted("lab", "waits")}).front().id;
    many_done(*store, "lab", 30);
    prune(*store, order());
  }
  const auto path = directory() / "journal" / "00000000000000000001.pack";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  const auto store = open();
  EXPECT_THAT(render(store->recovery().damage), HasSubstr("J202"));
  EXPECT_EQ(*std::get<Accepted>(value(store->trail(waits))[0]).body, "waits");
}

}  // namespace
}  // namespace cannula::store
