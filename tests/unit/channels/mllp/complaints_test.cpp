// What users of other engines complained about in public, each with where: here it must hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/mllp/exchange.h"
#include "channels/mllp/expected_answer.h"
#include "channels/mllp/framing/deframer.h"

namespace cannula::mllp {

namespace {

using testing::ElementsAre;

const std::string kOne = "MSH|^~\\&|LAB|A|EHR|B|1||ORU^R01|1|P|2.5.1\rOBX|1|TX|||seen\r";
const std::string kTwo = "MSH|^~\\&|LAB|A|EHR|B|1||ORU^R01|2|P|2.5.1\rOBX|1|TX|||seen\r";

std::vector<std::string> frames_of(const std::vector<std::string>& reads) {
  Deframer deframer(1 << 20);
  std::vector<Frame> frames;
  for (const std::string& read : reads) deframer.feed(read, frames);
  if (deframer.awaits_trailer()) deframer.settle(frames);
  std::vector<std::string> contents;
  for (const Frame& frame : frames) {
    if (frame.kind == Frame::Kind::whole) contents.push_back(frame.content);
  }
  return contents;
}

// What goes back for a message that was taken.
std::string answer_to(const std::string& message) {
  Peer peer;
  AnswerRules rules;
  Exchange exchange(peer, rules);
  exchange.add({Frame::Kind::whole, message, message.size()}, 1 << 20);
  Receipt receipt;
  receipt.disposition = Disposition::accepted;
  receipt.id = MessageId{1};
  exchange.next_arrivals();
  const auto fresh_id = [] { return MessageId{2}; };
  exchange.settle({receipt}, fresh_id);
  return exchange.answers(fresh_id);
}

std::string asking(const std::string& conditions) {
  return "MSH|^~\\&|LAB|A|EHR|B|1||ORU^R01|1|P|2.5.1|||" + conditions + "\r";
}

bool delivers(const std::string& code, const std::string& conditions = "") {
  static const std::vector<std::string> kNoRetries;
  ExpectedAnswer expected(asking(conditions), kNoRetries);
  const std::string answer = "MSH|^~\\&|||||||ACK|9|P|2.5.1\rMSA|" + code + "|1\r";
  EXPECT_TRUE(expected.matches(answer));
  return expected.judge(make_bytes(answer)).kind == Answer::Kind::delivered;
}

}  // namespace

// nextgenhealthcare/connect#510: a line feed after FS CR became part of the next message.
TEST(MllpComplaint, Connect510_ALineFeedAfterTheTrailer) {
  EXPECT_THAT(frames_of({"\x0B" + kOne + "\x1C\r\n\x0B" + kTwo + "\x1C\r\n"}),
              ElementsAre(kOne, kTwo));
}

// nextgenhealthcare/connect#423: bytes before VT ended the connection.
TEST(MllpComplaint, Connect423_BytesBeforeTheStartBlock) {
  EXPECT_THAT(frames_of({"noise \x01\x02\x0B" + kOne + "\x1C\r"}), ElementsAre(kOne));
}

// nextgenhealthcare/connect#923: the CR of the last segment was cut off.
TEST(MllpComplaint, Connect923_TheLastSegmentKeepsItsEnd) {
  EXPECT_THAT(frames_of({"\x0B" + kOne + "\x1C\r"}).at(0), testing::EndsWith("seen\r"));
  const std::string without = kOne.substr(0, kOne.size() - 1);
  EXPECT_THAT(frames_of({"\x0B" + without + "\x1C\r"}), ElementsAre(without));
}

// elixir-mllp#11: FS and CR in two reads.
TEST(MllpComplaint, ElixirMllp11_TheTrailerInTwoReads) {
  EXPECT_THAT(frames_of({"\x0B" + kOne + "\x1C", "\r\x0B" + kTwo, "\x1C", "\r"}),
              ElementsAre(kOne, kTwo));
}

// apache/camel CAMEL-24668 (#26259): of several messages in one read all but the first were lost.
TEST(MllpComplaint, Camel26259_PipelinedMessagesInOneRead) {
  EXPECT_THAT(frames_of({"\x0B" + kOne + "\x1C\r\x0B" + kTwo + "\x1C\r\x0B" + kOne + "\x1C\r"}),
              ElementsAre(kOne, kTwo, kOne));
}

// johnpaulett/python-hl7#24: a message that came in many reads.
TEST(MllpComplaint, PythonHl7_24_AMessageInManyReads) {
  std::vector<std::string> reads;
  for (const char byte : "\x0B" + kOne + "\x1C\r") reads.emplace_back(1, byte);
  EXPECT_THAT(frames_of(reads), ElementsAre(kOne));
}

// johnpaulett/txHL7#10: two CRs at the end of segments and frames.
TEST(MllpComplaint, TxHl7_10_DoubledCarriageReturns) {
  const std::string doubled = kOne + "\r";
  EXPECT_THAT(frames_of({"\x0B" + doubled + "\x1C\r\r\x0B" + kTwo + "\x1C\r\r"}),
              ElementsAre(doubled, kTwo));
  EXPECT_THAT(answer_to(doubled), testing::HasSubstr("MSA|AA|1\r"));
}

// dcm4che/dcm4che#465: a byte order mark before VT.
TEST(MllpComplaint, Dcm4che465_AByteOrderMarkBeforeTheStartBlock) {
  EXPECT_THAT(frames_of({"\xEF\xBB\xBF\x0B" + kOne + "\x1C\r"}), ElementsAre(kOne));
}

// nextgenhealthcare/connect#262: MSH-15 was not looked at.
TEST(AckComplaint, Connect262_Msh15DecidesOnTheAcknowledgement) {
  EXPECT_THAT(answer_to(asking("AL|NE")), testing::HasSubstr("MSA|CA|1"));
  EXPECT_EQ(answer_to(asking("NE|NE")), "");
  EXPECT_EQ(answer_to(asking("ER|NE")), "");
}

// nextgenhealthcare/connect#3007: CA, CE and CR were taken for errors, or for nothing.
TEST(AckComplaint, Connect3007_CommitCodesAreUnderstood) {
  EXPECT_TRUE(delivers("CA", "AL|NE"));
  EXPECT_FALSE(delivers("CE", "AL|NE"));
  EXPECT_FALSE(delivers("CR", "AL|NE"));
}

// nextgenhealthcare/connect#241: a receiver that knows no enhanced mode answers AA all the same.
TEST(AckComplaint, Connect241_AnAaIsEnoughWhereACommitWasAskedFor) {
  EXPECT_TRUE(delivers("AA", "AL|NE"));
}

// medplum/medplum#7115: the first frame that came back was taken for the answer.
TEST(AckComplaint, Medplum7115_Msa2MustBeTheControlIdThatWasSent) {
  static const std::vector<std::string> kNoRetries;
  ExpectedAnswer expected(kTwo, kNoRetries);
  EXPECT_FALSE(expected.matches("MSH|^~\\&|||||||ACK|9|P|2.5.1\rMSA|AA|1\r"));
  EXPECT_TRUE(expected.matches("MSH|^~\\&|||||||ACK|9|P|2.5.1\rMSA|AA|2\r"));
}

// medplum/medplum#7730: MSH-16 of AL, ER and NE.
TEST(AckComplaint, Medplum7730_Msh16IsHonouredWhereMsh15IsEmpty) {
  EXPECT_THAT(answer_to(asking("|AL")), testing::HasSubstr("MSA|AA|1"));
  EXPECT_EQ(answer_to(asking("|ER")), "");
  EXPECT_EQ(answer_to(asking("|NE")), "");
}

// medplum/medplum#8113: AA at once, and nothing else.
TEST(AckComplaint, Medplum8113_OriginalModeGetsOneAa) {
  const std::string answer = answer_to(kOne);
  EXPECT_THAT(answer, testing::HasSubstr("MSA|AA|1\r"));
  EXPECT_EQ(frames_of({answer}).size(), 1u);
}

}  // namespace cannula::mllp
