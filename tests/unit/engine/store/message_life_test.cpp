#include "engine/store/message_life.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;

constexpr MessageId kId{77};

// Applies records at rising positions.
class MessageLifeTest : public testing::Test {
 protected:
  MessageLifeTest() { life_.row.id = kId; }

  MessageState after(const Record& record) {
    life_.apply(record, position_ += 1000);
    return life_.row.state;
  }
  MessageState accept() {
    auto record = accepted("lab");
    record.id = kId;
    return after(record);
  }
  MessageState work(std::vector<std::string> destinations, std::uint32_t first_ordinal = 1) {
    return after(outcome(kId, "lab", MessageState::queued, std::move(destinations), first_ordinal));
  }
  MessageState try_delivery(std::uint32_t ordinal, DeliveryState state) {
    return after(attempt(kId, "lab", ordinal, ordinal == 1 ? "ehr" : "archive", state));
  }
  DeliveryState delivery(std::size_t index) const { return life_.deliveries.at(index).row.state; }

  MessageLife life_;
  Position position_ = 0;
};

TEST_F(MessageLifeTest, is_done_when_every_delivery_is_delivered) {
  EXPECT_EQ(accept(), MessageState::accepted);
  EXPECT_EQ(work({"ehr", "archive"}), MessageState::queued);
  EXPECT_EQ(try_delivery(2, DeliveryState::delivered), MessageState::queued);
  EXPECT_EQ(try_delivery(1, DeliveryState::retrying), MessageState::queued);
  EXPECT_EQ(try_delivery(1, DeliveryState::delivered), MessageState::done);
  EXPECT_TRUE(life_.settled());
}

TEST_F(MessageLifeTest, is_done_at_once_when_nothing_is_to_be_delivered) {
  accept();
  EXPECT_EQ(work({}), MessageState::done);
}

TEST_F(MessageLifeTest, takes_the_state_that_the_script_gave) {
  for (const auto state :
       {MessageState::filtered, MessageState::parked, MessageState::rejected, MessageState::dead}) {
    accept();
    EXPECT_EQ(after(outcome(kId, "lab", state)), state);
  }
}

TEST_F(MessageLifeTest, a_refused_message_is_rejected_with_the_reason) {
  auto record = accepted("lab");
  record.id = kId;
  record.refusal_code = "P201";
  record.refusal = "may not send ADT^A08";
  EXPECT_EQ(after(record), MessageState::rejected);
  EXPECT_EQ(life_.row.code, "P201");
  EXPECT_EQ(life_.row.reason, "may not send ADT^A08");
}

TEST_F(MessageLifeTest, is_dead_when_its_only_open_end_is_a_dead_delivery_and_says_which) {
  accept();
  work({"ehr", "archive"});
  EXPECT_EQ(try_delivery(1, DeliveryState::dead), MessageState::queued);
  EXPECT_EQ(try_delivery(2, DeliveryState::delivered), MessageState::dead);
  EXPECT_THAT(life_.row.reason, testing::StartsWith("ehr: "));

  EXPECT_EQ(after(resent(kId, "lab", 1)), MessageState::queued);
  EXPECT_EQ(life_.row.reason, "");
  EXPECT_EQ(life_.deliveries[0].row.queued, position_);
  EXPECT_EQ(life_.deliveries[0].row.attempts, 0u);
  EXPECT_EQ(try_delivery(1, DeliveryState::delivered), MessageState::done);
}

TEST_F(MessageLifeTest, resending_the_message_runs_the_script_again_and_keeps_earlier_deliveries) {
  accept();
  work({"ehr"});
  try_delivery(1, DeliveryState::delivered);
  EXPECT_EQ(after(resent(kId, "lab", 0)), MessageState::accepted);
  EXPECT_EQ(life_.queued_position, position_);
  EXPECT_EQ(life_.last_ordinal, 1u);
  EXPECT_EQ(work({"archive"}, 2), MessageState::queued);
  EXPECT_EQ(delivery(0), DeliveryState::delivered);
  EXPECT_EQ(delivery(1), DeliveryState::queued);
}

TEST_F(MessageLifeTest, discarding_ends_what_is_open_and_leaves_what_was_delivered) {
  accept();
  work({"ehr", "archive", "third"});
  try_delivery(1, DeliveryState::delivered);
  try_delivery(2, DeliveryState::dead);
  EXPECT_EQ(after(discarded(kId, "lab", 0)), MessageState::discarded);
  EXPECT_EQ(delivery(0), DeliveryState::delivered);
  EXPECT_EQ(delivery(1), DeliveryState::discarded);
  EXPECT_EQ(delivery(2), DeliveryState::discarded);
  EXPECT_EQ(life_.row.reason, "by a.analyst: sent twice");
}

TEST_F(MessageLifeTest, a_discarded_delivery_no_longer_holds_the_message_up) {
  accept();
  work({"ehr", "archive"});
  try_delivery(1, DeliveryState::delivered);
  EXPECT_EQ(after(discarded(kId, "lab", 2)), MessageState::done);
}

TEST_F(MessageLifeTest, is_discarded_when_nothing_was_delivered_and_the_rest_discarded) {
  accept();
  work({"ehr"});
  EXPECT_EQ(after(discarded(kId, "lab", 1)), MessageState::discarded);
}

TEST_F(MessageLifeTest, an_attempt_under_way_does_not_reopen_a_discarded_delivery) {
  accept();
  work({"ehr"});
  after(discarded(kId, "lab", 1));
  EXPECT_EQ(try_delivery(1, DeliveryState::retrying), MessageState::discarded);
  EXPECT_EQ(try_delivery(1, DeliveryState::delivered), MessageState::done);
}

TEST_F(MessageLifeTest, waits_for_the_handler_of_a_response) {
  accept();
  work({"ehr"});
  auto delivered = attempt(kId, "lab", 1, "ehr", DeliveryState::delivered);
  delivered.wants_handler = true;
  EXPECT_EQ(after(delivered), MessageState::queued);
  auto handled = outcome(kId, "lab", MessageState::queued, {"archive"}, 2);
  handled.cause = 1;
  EXPECT_EQ(after(handled), MessageState::queued);
  EXPECT_FALSE(life_.deliveries[0].row.handler_pending);
  EXPECT_EQ(try_delivery(2, DeliveryState::delivered), MessageState::done);
}

TEST_F(MessageLifeTest, is_not_done_while_another_delivery_waits_whatever_a_handler_said) {
  accept();
  work({"ehr", "archive"});
  auto delivered = attempt(kId, "lab", 1, "ehr", DeliveryState::delivered);
  delivered.wants_handler = true;
  after(delivered);
  auto handled = outcome(kId, "lab", MessageState::done);
  handled.cause = 1;
  EXPECT_EQ(after(handled), MessageState::queued);
  EXPECT_EQ(try_delivery(2, DeliveryState::dead), MessageState::dead);
  after(resent(kId, "lab", 2));
  EXPECT_EQ(try_delivery(2, DeliveryState::delivered), MessageState::done);
}

TEST_F(MessageLifeTest, stays_parked_whatever_becomes_of_what_it_sent_always) {
  accept();
  after(outcome(kId, "lab", MessageState::parked, {"review"}));
  auto delivered = attempt(kId, "lab", 1, "review", DeliveryState::delivered);
  delivered.wants_handler = true;
  EXPECT_EQ(after(delivered), MessageState::parked);
  auto handled = outcome(kId, "lab", MessageState::done);
  handled.cause = 1;
  EXPECT_EQ(after(handled), MessageState::parked);
}

TEST_F(MessageLifeTest, a_handler_may_park_the_message) {
  accept();
  work({"ehr"});
  auto delivered = attempt(kId, "lab", 1, "ehr", DeliveryState::delivered);
  delivered.wants_handler = true;
  after(delivered);
  auto parked = outcome(kId, "lab", MessageState::parked);
  parked.cause = 1;
  parked.reason = "code unknown to the EHR";
  EXPECT_EQ(after(parked), MessageState::parked);
  EXPECT_EQ(life_.row.reason, "code unknown to the EHR");
}

TEST_F(MessageLifeTest, its_trail_holds_the_positions_of_all_its_records) {
  accept();
  work({"ehr"});
  position_ += 5'000'000'000;
  try_delivery(1, DeliveryState::delivered);
  EXPECT_THAT(trail_positions(life_.row.accepted_at_position, life_.trail),
              ElementsAre(1000, 2000, 5'000'003'000));
}

TEST(OrderKeysTest, come_back_from_the_bytes_of_the_index) {
  const OrderKeys keys = {1, 0xFFFFFFFFFFFFFFFFu, 42};
  EXPECT_EQ(unpacked(packed(keys)), keys);
  EXPECT_TRUE(packed({}).empty());
}

}  // namespace
}  // namespace cannula::store
