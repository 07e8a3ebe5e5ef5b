#include "engine/store/record_codec.h"

#include <random>

#include <gtest/gtest.h>

namespace cannula::store {
namespace {

std::string encoded(const Record& record) {
  std::string bytes;
  encode(record, bytes);
  return bytes;
}

Record back(const Record& record) {
  auto result = decode(type_of(record), encoded(record));
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

Accepted full_accepted() {
  Accepted record;
  record.id = {0x0123456789ABCDEFu};
  record.channel = "lab-results";
  record.at = -5;
  record.peer = "10.1.0.7:51234";
  record.partner = "reference-lab";
  record.event = "ORU^R01";
  record.control_id = "MSG-1";
  record.attributes = R"({"listener":"a"})";
  record.body = make_bytes(std::string("MSH|\0|\xFF", 7));
  record.refusal_code = "P1";
  record.refusal = "no";
  return record;
}

Outcome full_outcome() {
  Outcome record;
  record.id = {7};
  record.channel = "lab";
  record.at = 1'760'000'000'000'000;
  record.cause = 3;
  record.state = MessageState::parked;
  record.code = "L201";
  record.reason = "no row";
  record.order_keys = {1, ~0ull};
  record.deliveries = {
      {.ordinal = 4, .destination = "ehr", .order_keys = {9}, .priority = 1, .payload = nullptr},
      {.ordinal = 5,
       .destination = "x",
       .order_keys = {},
       .priority = 0,
       .payload = make_bytes(""),
       .attributes = R"({"method":"PUT"})"}};
  record.state_writes = {
      {.key = "last", .value = "12"}, {.key = "gone", .value = {}}, {.key = "", .value = ""}};
  record.trace = "{}\n{}";
  record.misses = {{.table = "codes", .key = "K", .text = "Kalium"}};
  record.until_mapped = true;
  return record;
}

Attempt full_attempt() {
  Attempt record;
  record.id = {8};
  record.channel = "lab";
  record.ordinal = 300;
  record.destination = "ehr";
  record.at = 1;
  record.number = 4'000'000'000u;
  record.state = DeliveryState::retrying;
  record.wants_handler = true;
  record.code = "T1";
  record.reason = "connection refused";
  record.next_at = std::numeric_limits<Timestamp>::max();
  record.response = make_bytes("HTTP 503");
  record.attributes = R"({"status":503})";
  return record;
}

TEST(RecordCodecTest, an_accepted_record_comes_back_as_it_was) {
  const Accepted record = full_accepted();
  const auto again = std::get<Accepted>(back(record));
  EXPECT_EQ(again.id, record.id);
  EXPECT_EQ(again.channel, record.channel);
  EXPECT_EQ(again.at, record.at);
  EXPECT_EQ(again.peer, record.peer);
  EXPECT_EQ(again.partner, record.partner);
  EXPECT_EQ(again.event, record.event);
  EXPECT_EQ(again.control_id, record.control_id);
  EXPECT_EQ(again.attributes, record.attributes);
  EXPECT_EQ(*again.body, *record.body);
  EXPECT_EQ(again.refusal_code, record.refusal_code);
  EXPECT_EQ(again.refusal, record.refusal);
}

TEST(RecordCodecTest, what_wires_remember_comes_back_with_and_without_what_stands_before_it) {
  const std::vector<StateWrite> remembered = {{.key = "from LAB|GEN", .value = "17 9f"},
                                              {.key = "gone", .value = {}}};
  const auto expect_remembered = [](const std::vector<StateWrite>& again) {
    ASSERT_EQ(again.size(), 2u);
    EXPECT_EQ(again[0].key, "from LAB|GEN");
    EXPECT_EQ(again[0].value, "17 9f");
    EXPECT_EQ(again[1].value, std::nullopt);
  };
  Accepted accepted = full_accepted();
  EXPECT_TRUE(std::get<Accepted>(back(accepted)).wire_state.empty());
  accepted.wire_state = remembered;
  const auto came_in = std::get<Accepted>(back(accepted));
  expect_remembered(came_in.wire_state);
  EXPECT_EQ(came_in.edited_from, MessageId{});
  accepted.edited_from = {9};
  accepted.editor = "ines";
  expect_remembered(std::get<Accepted>(back(accepted)).wire_state);
  EXPECT_EQ(std::get<Accepted>(back(accepted)).editor, "ines");

  Attempt attempt = full_attempt();
  EXPECT_TRUE(std::get<Attempt>(back(attempt)).wire_state.empty());
  attempt.wire_state = remembered;
  expect_remembered(std::get<Attempt>(back(attempt)).wire_state);
}

TEST(RecordCodecTest, an_outcome_comes_back_as_it_was) {
  const Outcome record = full_outcome();
  const auto again = std::get<Outcome>(back(record));
  EXPECT_EQ(again.cause, 3u);
  EXPECT_EQ(again.state, MessageState::parked);
  EXPECT_EQ(again.code, "L201");
  EXPECT_EQ(again.reason, "no row");
  EXPECT_EQ(again.order_keys, record.order_keys);
  ASSERT_EQ(again.deliveries.size(), 2u);
  EXPECT_EQ(again.deliveries[0].ordinal, 4u);
  EXPECT_EQ(again.deliveries[0].destination, "ehr");
  EXPECT_EQ(again.deliveries[0].order_keys, OrderKeys{9});
  EXPECT_EQ(again.deliveries[0].priority, 1);
  EXPECT_EQ(again.deliveries[0].payload, nullptr) << "null means the received bytes";
  ASSERT_NE(again.deliveries[1].payload, nullptr) << "empty is not null";
  EXPECT_EQ(*again.deliveries[1].payload, "");
  ASSERT_EQ(again.state_writes.size(), 3u);
  EXPECT_EQ(again.state_writes[0].value, "12");
  EXPECT_EQ(again.state_writes[1].value, std::nullopt);
  EXPECT_EQ(again.state_writes[2].value, "");
  EXPECT_EQ(again.trace, record.trace);
  EXPECT_EQ(again.deliveries[1].attributes, record.deliveries[1].attributes);
  ASSERT_EQ(again.misses.size(), 1u);
  EXPECT_EQ(again.misses[0].table, "codes");
  EXPECT_EQ(again.misses[0].key, "K");
  EXPECT_EQ(again.misses[0].text, "Kalium");
  EXPECT_TRUE(again.until_mapped);
}

TEST(RecordCodecTest, an_attempt_comes_back_as_it_was) {
  const Attempt record = full_attempt();
  const auto again = std::get<Attempt>(back(record));
  EXPECT_EQ(again.ordinal, record.ordinal);
  EXPECT_EQ(again.destination, record.destination);
  EXPECT_EQ(again.number, record.number);
  EXPECT_EQ(again.state, record.state);
  EXPECT_EQ(again.wants_handler, record.wants_handler);
  EXPECT_EQ(again.code, record.code);
  EXPECT_EQ(again.reason, record.reason);
  EXPECT_EQ(again.next_at, record.next_at);
  EXPECT_EQ(*again.response, *record.response);
  EXPECT_EQ(again.attributes, record.attributes);
}

TEST(RecordCodecTest, what_people_did_comes_back_as_it_was) {
  const Resent resent{
      .id = {1}, .channel = "lab", .ordinal = 2, .at = 3, .actor = "a", .reason = "b"};
  EXPECT_EQ(encoded(back(resent)), encoded(resent));
  const Discarded gone{
      .id = {1}, .channel = "lab", .ordinal = 0, .at = 3, .actor = "", .reason = "b"};
  EXPECT_EQ(encoded(back(gone)), encoded(gone));
}

TEST(RecordCodecTest, fields_of_a_later_version_are_skipped) {
  const auto record = decode(RecordType::outcome, encoded(full_outcome()) + "something new");
  ASSERT_TRUE(record);
  EXPECT_EQ(encoded(*record), encoded(full_outcome()));
}

TEST(RecordCodecTest, fields_that_an_earlier_version_did_not_have_take_their_default) {
  std::string bytes = encoded(full_attempt());
  bytes.resize(bytes.size() - 9 - 15);  // the response and its attributes, each with its length
  const auto record = decode(RecordType::attempt, bytes);
  ASSERT_TRUE(record) << record.error().text();
  EXPECT_EQ(std::get<Attempt>(*record).response, nullptr);
  EXPECT_EQ(std::get<Attempt>(*record).reason, "connection refused");
}

TEST(RecordCodecTest, bytes_cut_within_a_field_are_refused) {
  std::string bytes = encoded(full_attempt());
  bytes.resize(bytes.size() - 3);
  const auto record = decode(RecordType::attempt, bytes);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, "J108");
  EXPECT_FALSE(decode(RecordType::accepted, "1234567"));
}

TEST(RecordCodecTest, a_type_of_a_later_version_is_named) {
  const auto record = decode(static_cast<RecordType>(99), "12345678");
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, "J109");
}

TEST(RecordCodecTest, bodies_that_the_first_retention_removed_are_read) {
  // As 4dae835 wrote it: the time of the removal without the list of wire state before it.
  Accepted record = full_accepted();
  record.body = nullptr;
  std::string bytes = encoded(record);
  const auto number = [&](std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
  };
  for (int i = 0; i < 3; ++i) number(0);  // edited from, editor, reason
  number(2u * 1'760'000'000'000'000u);    // zigzag
  number(1234);
  const auto read = decode(RecordType::accepted, bytes);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(std::get<Accepted>(*read).bodies_removed, 1'760'000'000'000'000);
  EXPECT_EQ(std::get<Accepted>(*read).removed_size, 1234u);
  EXPECT_TRUE(std::get<Accepted>(*read).wire_state.empty());
}

TEST(RecordCodecTest, takes_any_bytes) {
  std::mt19937_64 random(1);
  const std::string samples[] = {encoded(full_accepted()), encoded(full_outcome()),
                                 encoded(full_attempt())};
  for (int round = 0; round < 30'000; ++round) {
    std::string bytes = samples[round % 3];
    for (int change = 0; change < 3; ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 2) bytes.resize(random() % bytes.size());
    static_cast<void>(decode(static_cast<RecordType>(random() % 7), bytes).has_value());
  }
}

// However small it becomes on disk: what waits is held in memory.
TEST(RecordMemoryTest, counts_what_a_record_holds_and_not_what_it_takes_on_disk) {
  const Bytes body = make_bytes(std::string(100'000, 'x'));
  Accepted accepted;
  accepted.body = body;
  EXPECT_GT(memory_of(accepted), 100'000u);
  EXPECT_LT(memory_of(accepted), 101'000u);
  Outcome outcome;
  outcome.deliveries.resize(2);
  for (DeliveryRequest& delivery : outcome.deliveries) delivery.payload = body;
  outcome.trace = std::string(50'000, 'x');
  EXPECT_GT(memory_of(outcome), 250'000u);
  Attempt attempt;
  attempt.response = body;
  EXPECT_GT(memory_of(attempt), 100'000u);
  EXPECT_LT(memory_of(Resent()), 1'000u);
}

}  // namespace
}  // namespace cannula::store
