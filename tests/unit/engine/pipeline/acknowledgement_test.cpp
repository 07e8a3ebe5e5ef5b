// What a sender that waits is told, and the application's own acknowledgement.
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(EngineTest, AckProcessedTellsTheSenderWhatTheScriptDecided) {
  auto processed = site(R"(
    function main(msg)
      if msg["MSH-10"] == "N2" then return reject("unknown patient") end
      send('ehr', msg)
    end)");
  processed->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(processed);
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::accepted);
  EXPECT_EQ(receipts[1].disposition, Disposition::refused);
  EXPECT_THAT(receipts[1].reason.message, HasSubstr("unknown patient"));
}

TEST_F(EngineTest, ASenderIsNotToldWhatAFailingScriptSays) {
  auto failing = site("function main(msg) error('Muster, Anna has no row') end");
  failing->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(failing);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::refused);
  EXPECT_EQ(receipts[0].reason.code, "L200");
  EXPECT_THAT(receipts[0].reason.message, HasSubstr("is on record"));
  EXPECT_THAT(receipts[0].reason.message, Not(HasSubstr("Muster")));
  EXPECT_THAT(receipts[0].reason.message, Not(HasSubstr("main.lua")));
}

TEST_F(EngineTest, AckDeliveredWaitsForTheDestination) {
  auto waits = site(kRelay);
  waits->channels["lab"].ack = {config::AckConfig::When::delivered, "ehr"};
  wires_.answer = [](const Parcel&, int attempt) {
    return Answer{attempt < 3 ? Answer::Kind::retry : Answer::Kind::delivered,
                  nullptr,
                  Error{"T1", "away"},
                  {}};
  };
  auto engine = start(waits);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  EXPECT_EQ(receipts[0].disposition, Disposition::accepted);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(EngineTest, WhatTheScriptAnswersReachesTheSenderThatWaits) {
  auto answering = site("function main(msg) reply{ body = 'own words' } send('ehr', msg) end");
  answering->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(answering);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  ASSERT_TRUE(receipts[0].reply);
  EXPECT_EQ(*receipts[0].reply->body, "own words");
}

TEST_F(EngineTest, WhatTheScriptAcknowledgesReachesTheSenderThatWaits) {
  auto answering = site(R"(
    function main(msg)
      ack{ code = "AE", text = "PID-3 is missing",
           errors = { { code = "101", location = "PID^1^3", text = "PID-3 is missing" } } }
    end)");
  answering->channels["lab"].ack.when = config::AckConfig::When::processed;
  auto engine = start(answering);
  const auto receipts = wires_.offer("lab", {oru(1, "A")});
  ASSERT_TRUE(receipts[0].reply && receipts[0].reply->ack);
  EXPECT_EQ(receipts[0].reply->ack->outcome, hl7v2::AckOutcome::error);
  ASSERT_EQ(receipts[0].reply->ack->errors.size(), 1u);
  EXPECT_EQ(receipts[0].reply->ack->errors[0].location, "PID^1^3");
}

// HL7 v2 2.8.3.1: the receiver begins the exchange of the application acknowledgement.
TEST_F(EngineTest, AnApplicationAcknowledgementIsADeliveryOfItsOwn) {
  auto enhanced = site(R"(
    function main(msg)
      local id = msg["MSH-10"]
      if id == "N2" then return skip("not wanted") end
      if id == "N3" then return reject("unknown patient") end
      if id == "N4" then error("secret of another patient") end
      if id == "N5" then ack{ code = "AE", text = "by the script" } end
    end)");
  enhanced->channels["lab"].source.set("application_ack", std::string("ehr"));
  auto engine = start(enhanced);
  const auto asking = [](int number, const char* condition) {
    std::string message = oru(number, "A");
    message.insert(message.find("|2.5.1") + 6, std::string("|||AL|") + condition);
    return message;
  };
  std::vector<MessageId> ids;
  for (int i = 1; i <= 5; ++i) ids.push_back(wires_.offer("lab", {asking(i, "AL")})[0].id);
  wires_.offer("lab", {asking(6, "NE"), asking(7, "ER")});
  std::vector<std::string> acknowledged;
  for (const Sent& sent : wires_.delivered(5)) {
    EXPECT_THAT(sent.payload, HasSubstr("MSH|^~\\&|EHR|GEN|LAB|GEN|"));
    EXPECT_THAT(sent.payload, HasSubstr("|2.5.1|||NE|NE"));
    const std::size_t at = sent.payload.find("MSA|");
    acknowledged.push_back(sent.payload.substr(at, sent.payload.find('\r', at) - at));
  }
  EXPECT_THAT(acknowledged, testing::UnorderedElementsAre(
                                "MSA|AA|N1", "MSA|AA|N2", "MSA|AR|N3|unknown patient",
                                testing::AllOf(HasSubstr("MSA|AE|N4|"), Not(HasSubstr("secret"))),
                                "MSA|AE|N5|by the script"));
  wait_for(*engine, ids[0], store::MessageState::done);
  wait_for(*engine, ids[1], store::MessageState::filtered);
  wait_for(*engine, ids[2], store::MessageState::rejected);
}

}  // namespace
}  // namespace cannula::pipeline
