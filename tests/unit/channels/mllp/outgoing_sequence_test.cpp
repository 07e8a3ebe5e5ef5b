// Items of HL7 v2 2.9.1, from the side of the system that sends.
#include "channels/mllp/outgoing_sequence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/mllp/numbered.h"

namespace cannula::mllp {
namespace {

using hl7v2::AckCode;
using Next = OutgoingSequence::Next;
using Start = OutgoingSequence::Start;

hl7v2::Acknowledgement ack(AckCode code, const std::string& expected) {
  hl7v2::Acknowledgement answer;
  answer.code = code;
  answer.expected_sequence = expected;
  return answer;
}

// A link of which `memory` is on record, begun with 0 and answered with `expected`.
struct Link {
  explicit Link(const std::string& memory, Start start = Start::restart) : sequence(start) {
    sequence.recall(memory);
  }
  Result<Next> open(const std::string& key, const std::string& expected) {
    EXPECT_EQ(sequence.opening(key), 0);
    return sequence.opened(key, ack(AckCode::AA, expected));
  }
  // Gives `key` its number and tells it.
  std::int64_t send(const std::string& key) {
    const auto number = sequence.number(key);
    repeated = number.repeated;
    if (!number.repeated) sequence.give(key);
    return number.value;
  }
  Result<Next> answer(AckCode code, const std::string& expected) {
    return sequence.answered(repeated, ack(code, expected));
  }

  OutgoingSequence sequence;
  bool repeated = false;
};

TEST(OutgoingSequence, ANewLinkCountsFromOneAndIsOpenedOnce) {
  Link link("");
  EXPECT_EQ(link.open("a", "-1").value(), Next::send);
  EXPECT_EQ(link.send("a"), 1);
  EXPECT_EQ(link.answer(AckCode::AA, "1").value(), Next::as_it_says);
  EXPECT_EQ(link.sequence.opening("b"), std::nullopt);
  EXPECT_EQ(link.send("b"), 2);
  EXPECT_EQ(link.answer(AckCode::CA, "").value(), Next::as_it_says) << "without MSA-4";
  EXPECT_EQ(link.send("c"), 3);
  EXPECT_EQ(link.answer(AckCode::AA, "4").value(), Next::as_it_says)
      << "receivers that name the next one";
  EXPECT_EQ(link.sequence.memory(), "3");
}

TEST(OutgoingSequence, GoesOnWhereTheReceiverStandsIfNothingWasEverNumbered) {
  Link link("");
  EXPECT_EQ(link.open("a", "18").value(), Next::send);
  EXPECT_EQ(link.send("a"), 18);
}

TEST(OutgoingSequence, WhatIsUnderWayKeepsItsNumberOverARestart) {
  Link before("7");
  ASSERT_EQ(before.open("a", "8").value(), Next::send);
  EXPECT_EQ(before.sequence.memory_of("a"), "8 a") << "to be on record before it is sent";
  EXPECT_EQ(before.send("a"), 8);

  Link not_taken(before.sequence.memory());
  EXPECT_EQ(not_taken.open("a", "8").value(), Next::send);
  EXPECT_EQ(not_taken.send("a"), 8);
  EXPECT_TRUE(not_taken.repeated);

  Link taken(before.sequence.memory());
  EXPECT_EQ(taken.open("a", "9").value(), Next::delivered) << "the acknowledgement was lost";
  EXPECT_EQ(taken.sequence.memory(), "8");
}

TEST(OutgoingSequence, OneGreaterThanTheNumberMeansTheAcknowledgementWasLost) {
  for (const AckCode code : {AckCode::AA, AckCode::AE}) {
    Link link("7");
    ASSERT_TRUE(link.open("a", "8"));
    EXPECT_EQ(link.send("a"), 8);  // and no answer comes
    EXPECT_EQ(link.sequence.opening("a"), std::nullopt);
    EXPECT_EQ(link.send("a"), 8);
    const auto next = link.answer(code, "9");
    EXPECT_EQ(next.value(), code == AckCode::AA ? Next::as_it_says : Next::delivered);
    EXPECT_EQ(link.send("b"), 9);
  }
}

TEST(OutgoingSequence, FreezesWhenTheReceiverLacksWhatItAcknowledged) {
  Link link("17");
  const auto opened = link.open("a", "5");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "M212");
  EXPECT_THAT(opened.error().message,
              testing::HasSubstr("expects sequence number 5, and number 18"));
  EXPECT_EQ(link.open("a", "18").value(), Next::send) << "a person has seen to it";
  EXPECT_EQ(link.send("a"), 18);
  EXPECT_EQ(link.answer(AckCode::AE, "3").error().code, "M212");
  EXPECT_EQ(link.sequence.opening("a"), 0);
}

TEST(OutgoingSequence, FreezesWhenTheReceiverHasWhatWasNeverSent) {
  Link link("17");
  EXPECT_EQ(link.open("a", "19").error().code, "M212");
  EXPECT_EQ(link.open("a", "18").value(), Next::send);
  link.send("a");
  EXPECT_EQ(link.answer(AckCode::AA, "25").error().code, "M212");
}

TEST(OutgoingSequence, ResynchronisingMakesItTakeWhatComes) {
  Link link("17", Start::resync);
  EXPECT_EQ(link.sequence.opening("a"), -1);
  EXPECT_EQ(link.sequence.opened("a", ack(AckCode::AA, "-1")).value(), Next::send);
  EXPECT_EQ(link.send("a"), 18);
  EXPECT_EQ(link.answer(AckCode::AA, "18").value(), Next::as_it_says);
  EXPECT_EQ(link.sequence.opening("b"), std::nullopt);
  EXPECT_EQ(link.send("b"), 19);
  EXPECT_EQ(link.answer(AckCode::AE, "3").error().code, "M212");
  EXPECT_EQ(link.sequence.opening("b"), -1) << "once more after a freeze";
}

TEST(OutgoingSequence, AReceiverThatNamesNoNumberDoesNotFollowIt) {
  Link link("");
  for (const char* none : {"", "0", "x", "1.5", "-2"}) {
    EXPECT_EQ(link.open("a", none).error().code, "M213") << none;
  }
  Link resync("", Start::resync);
  EXPECT_EQ(resync.sequence.opened("a", ack(AckCode::AR, "")).error().code, "M213");
}

TEST(OutgoingSequence, AsksWhetherARefusalUsedUpTheNumber) {
  for (const auto& [expected, then] : {std::pair("8", 8), std::pair("9", 9)}) {
    Link link("7");
    ASSERT_TRUE(link.open("a", "8"));
    link.send("a");
    EXPECT_EQ(link.answer(AckCode::AE, "8").value(), Next::as_it_says);
    EXPECT_EQ(link.sequence.memory(), "8 ?");
    EXPECT_EQ(link.open("b", expected).value(), Next::send);
    EXPECT_EQ(link.send("b"), then);
    EXPECT_FALSE(link.repeated);
  }
  Link told("7");
  ASSERT_TRUE(told.open("a", "8"));
  told.send("a");
  EXPECT_EQ(told.answer(AckCode::AE, "9").value(), Next::as_it_says) << "it says so itself";
  EXPECT_EQ(told.sequence.opening("a"), std::nullopt);
  EXPECT_EQ(told.send("a"), 9);
}

TEST(OutgoingSequence, OneThatWasGivenUpIsAskedAfterBeforeTheNext) {
  for (const auto& [expected, then] : {std::pair("8", 8), std::pair("9", 9)}) {
    Link link("7");
    ASSERT_TRUE(link.open("a", "8"));
    link.send("a");  // no answer; a person discards it
    EXPECT_EQ(link.open("b", expected).value(), Next::send);
    EXPECT_EQ(link.send("b"), then);
  }
}

TEST(OutgoingSequence, ANumberUsedAgainThatWasTakenAfterAllLosesNothing) {
  Link link("7");
  ASSERT_TRUE(link.open("a", "8"));
  link.send("a");
  ASSERT_EQ(link.open("b", "8").value(), Next::send);
  EXPECT_EQ(link.send("b"), 8);
  EXPECT_EQ(link.answer(AckCode::AA, "9").value(), Next::again);
  EXPECT_EQ(link.send("b"), 9);
  EXPECT_EQ(link.answer(AckCode::AA, "9").value(), Next::as_it_says);
}

TEST(Numbered, PutsTheNumberIntoMsh13AndChangesNothingElse) {
  const std::string message =
      "MSH|^~\\&|CANNULA|HOSP|EHR|HOSP|20260101120000||ADT^A01^ADT_A01|7|P|2.5.1|||AL\rPID|1||"
      "47\\T\\11\r";
  EXPECT_EQ(numbered(make_bytes(message), 12).value(),
            "MSH|^~\\&|CANNULA|HOSP|EHR|HOSP|20260101120000||ADT^A01^ADT_A01|7|P|2.5.1|12||AL\r"
            "PID|1||47\\T\\11\r");
  const auto header = hl7v2::Header::peek(message);
  EXPECT_EQ(
      opening_message(*header, 0, "S1", 0),
      "MSH|^~\\&|CANNULA|HOSP|EHR|HOSP|19700101000000.000+0000||ADT^A01^ADT_A01|S1|P|2.5.1|0\r");
}

TEST(Numbered, OnlyWhatIsAcknowledgedInAnyCaseCanBeNumbered) {
  const auto message = [](const std::string& asks) {
    return "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|7|P|2.5.1|||" + asks + "\r";
  };
  for (const char* fine : {"", "AL", "AL|NE", "|AL", "AL|ER"}) {
    EXPECT_TRUE(can_be_numbered(message(fine))) << fine;
  }
  for (const char* not_always : {"NE", "NE|NE", "ER", "|NE", "|SU"}) {
    EXPECT_EQ(can_be_numbered(message(not_always)).error().code, "M211") << not_always;
  }
  EXPECT_EQ(can_be_numbered("BHS|^~\\&\r" + message("") + "BTS|1\r").error().code, "M211");
  EXPECT_EQ(can_be_numbered("<xml/>").error().code, "M211");
}

}  // namespace
}  // namespace cannula::mllp
