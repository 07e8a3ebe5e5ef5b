// What has died, is held or waits, by its cause: counted, and named one by one.
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/store/message_life.h"
#include "engine/store/store.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LettersTest : public StoreFixture {
 protected:
  Options options() const override {
    Options options = StoreFixture::options();
    options.index_in_background = false;
    return options;
  }
  static MessageId accept(Store& store, const std::string& channel) {
    return commit(store, {accepted(channel)})[0].id;
  }
  static Attempt died(MessageId id, const std::string& code, unsigned status, Timestamp at) {
    Attempt record = attempt(id, "lab", 1, "ehr", DeliveryState::dead);
    record.code = code;
    record.reason = "the server refused it";
    if (status != 0)
      record.attributes = "{\"status\":" + std::to_string(status) + ",\"headers\":{}}";
    record.at = at;
    return record;
  }
  static Outcome failed(MessageId id, const std::string& reason) {
    Outcome record = outcome(id, "lab", MessageState::dead);
    record.code = "L201";
    record.reason = reason;
    return record;
  }
  static std::vector<std::string> causes(Store& store, const LetterQuery& query) {
    store.catch_up();
    std::vector<std::string> found;
    for (const CauseRow& one : value(store.causes(query))) {
      found.push_back(one.channel + ">" + one.destination + " " + one.state + " " + one.code + " " +
                      one.place + " " + std::to_string(one.count));
    }
    return found;
  }
  static std::vector<Letter> letters(Store& store, const LetterQuery& query) {
    store.catch_up();
    return value(store.letters(query));
  }
  static LetterQuery dead() {
    return {.deliveries = {DeliveryState::dead}, .messages = {MessageState::dead}};
  }
};

TEST_F(LettersTest, what_died_is_grouped_by_code_and_place_and_each_of_a_group_is_named) {
  const auto store = open();
  std::vector<MessageId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(accept(*store, "lab"));
  commit(*store,
         {outcome(ids[0], "lab", MessageState::queued, {"ehr"}), died(ids[0], "T353", 422, 1000),
          outcome(ids[1], "lab", MessageState::queued, {"ehr"}), died(ids[1], "T353", 422, 3000),
          outcome(ids[2], "lab", MessageState::queued, {"ehr"}), died(ids[2], "P302", 0, 2000),
          failed(ids[3], "main.lua:12: no \"Muster\""), failed(ids[4], "Muster: 12")});

  EXPECT_THAT(causes(*store, dead()),
              ElementsAre("lab>ehr dead T353 status 422 2", "lab>ehr dead P302  1",
                          "lab> dead L201  1", "lab> dead L201 main.lua:12 1"));
  const auto first = value(store->causes(dead()))[0];
  EXPECT_EQ(first.first_at, 1000);
  EXPECT_EQ(first.last_at, 3000);
  EXPECT_EQ(first.sample, ids[1]);

  LetterQuery one = dead();
  one.code = "T353";
  EXPECT_THAT(letters(*store, one), ElementsAre(Letter{ids[0], 1}, Letter{ids[1], 1}));
  one.from = 2000;
  EXPECT_THAT(letters(*store, one), ElementsAre(Letter{ids[1], 1}));
  one.to = 3000;
  EXPECT_THAT(letters(*store, one), IsEmpty());
  LetterQuery scripts = dead();
  scripts.place = "main.lua:12";
  EXPECT_THAT(letters(*store, scripts), ElementsAre(Letter{ids[3], 0}));
  scripts.place = "";
  EXPECT_THAT(letters(*store, scripts), ElementsAre(Letter{ids[2], 1}, Letter{ids[4], 0}));
  LetterQuery there = dead();
  there.destination = "ehr";
  EXPECT_THAT(letters(*store, there),
              ElementsAre(Letter{ids[0], 1}, Letter{ids[1], 1}, Letter{ids[2], 1}));
  there.destination = "no such";
  EXPECT_THAT(letters(*store, there), IsEmpty());
}

TEST_F(LettersTest, what_is_sent_again_or_ended_is_in_no_group_any_more) {
  const auto store = open();
  const MessageId a = accept(*store, "lab"), b = accept(*store, "lab"), c = accept(*store, "lab");
  commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr"}), died(a, "T353", 400, 1000),
                  outcome(b, "lab", MessageState::queued, {"ehr"}), died(b, "T353", 400, 1000),
                  failed(c, "main.lua:1: x")});
  EXPECT_EQ(letters(*store, dead()).size(), 3U);
  commit(*store, {resent(a, "lab", 1), discarded(b, "lab", 0), resent(c, "lab", 0)});
  EXPECT_THAT(letters(*store, dead()), IsEmpty());
  EXPECT_THAT(letters(*store, {.deliveries = {DeliveryState::queued}}), ElementsAre(Letter{a, 1}));
  EXPECT_THAT(letters(*store, {.messages = {MessageState::accepted}}), ElementsAre(Letter{c, 0}));
}

TEST_F(LettersTest, held_and_delivered_ones_and_those_that_wait_are_found_by_their_state) {
  const auto store = open();
  const MessageId a = accept(*store, "lab"), b = accept(*store, "lab");
  commit(*store, {outcome(a, "lab", MessageState::queued, {"ehr", "archive"}),
                  attempt(a, "lab", 1, "ehr", DeliveryState::held),
                  outcome(b, "lab", MessageState::queued, {"ehr"}),
                  attempt(b, "lab", 1, "ehr", DeliveryState::delivered)});
  EXPECT_THAT(letters(*store, {.deliveries = {DeliveryState::held}}), ElementsAre(Letter{a, 1}));
  EXPECT_THAT(letters(*store, {.deliveries = {DeliveryState::delivered}}),
              ElementsAre(Letter{b, 1}));
  EXPECT_THAT(letters(*store, {.channel = "lab",
                               .destination = "archive",
                               .deliveries = {DeliveryState::queued, DeliveryState::retrying}}),
              ElementsAre(Letter{a, 2}));
}

TEST_F(LettersTest, a_place_is_a_line_of_a_script_and_nothing_else_of_a_reason) {
  EXPECT_EQ(place_in_script("main.lua:12: attempt to index a nil value"), "main.lua:12");
  EXPECT_EQ(place_in_script("main.lua:12"), "main.lua:12");
  EXPECT_EQ(place_in_script("my-site/lib/wards.lua:3: no ward"), "wards.lua:3");
  EXPECT_EQ(place_in_script("Muster Hans:12"), "");
  EXPECT_EQ(place_in_script("Muster: 12"), "");
  EXPECT_EQ(place_in_script("no colon"), "");
}

TEST_F(LettersTest, whom_a_person_edited_is_known_from_both_sides_also_in_an_index_built_anew) {
  MessageId old, edited;
  {
    const auto store = open();
    old = accept(*store, "lab");
    Accepted record = accepted("lab", "MSH|^~\\&|edited");
    record.edited_from = old;
    record.editor = "a.analyst";
    record.edit_reason = "the ward was wrong";
    edited = commit(*store, {record})[0].id;
    store->catch_up();
    EXPECT_THAT(value(store->edited_as(old)), ElementsAre(edited));
  }
  std::filesystem::remove(directory() / "index.db");
  const auto store = open();
  EXPECT_THAT(value(store->edited_as(old)), ElementsAre(edited));
  EXPECT_THAT(value(store->edited_as(edited)), IsEmpty());
  EXPECT_EQ(value(store->message(edited))->edited_from, old);
  const auto record = std::get<Accepted>(value(store->trail(edited))[0]);
  EXPECT_EQ(record.editor, "a.analyst");
  EXPECT_EQ(record.edit_reason, "the ward was wrong");
}

}  // namespace
}  // namespace cannula::store
