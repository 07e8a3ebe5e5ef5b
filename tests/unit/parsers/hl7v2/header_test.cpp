#include "parsers/hl7v2/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

TEST(Header, ReadsTheFieldsThatAnIntakeNeeds) {
  const auto header = Header::peek(
      "\r\nMSH|^~\\&|LAB^1.2^ISO|NORTH|EHR|WARD|20260115||ORU^R01^ORU_R01|ID-1|P^T|2.5.1^DEU|||AL|"
      "NE||UNICODE UTF-8\r"
      "PID|1|secret");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->encoding_characters, "^~\\&");
  EXPECT_EQ(header->sending_application, "LAB^1.2^ISO");
  EXPECT_EQ(header->sending_facility, "NORTH");
  EXPECT_EQ(header->receiving_application, "EHR");
  EXPECT_EQ(header->receiving_facility, "WARD");
  EXPECT_EQ(header->time, "20260115");
  EXPECT_EQ(header->event(), "ORU^R01");
  EXPECT_EQ(header->trigger(), "R01");
  EXPECT_EQ(header->control_id, "ID-1");
  EXPECT_EQ(header->processing_id, "P^T");
  EXPECT_EQ(header->version_id(), "2.5.1");
  EXPECT_EQ(header->accept_ack, "AL");
  EXPECT_EQ(header->application_ack, "NE");
  EXPECT_EQ(header->character_set, "UNICODE UTF-8");
  EXPECT_TRUE(header->enhanced());
}

TEST(Header, AShortSegmentLeavesTheRestEmpty) {
  const auto header = Header::peek("MSH|^~\\&|A\nPID|1|||||||||||||||||||||");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->sending_application, "A");
  EXPECT_EQ(header->control_id, "");
  EXPECT_EQ(header->event(), "");
  EXPECT_FALSE(header->enhanced());
  EXPECT_EQ(Header::peek("MSH|^~\\&")->sending_application, "");
}

TEST(Header, AnEventMayHaveOnePartOnly) {
  EXPECT_EQ(Header::peek("MSH|^~\\&|||||||ACK|1")->event(), "ACK");
  EXPECT_EQ(Header::peek("MSH|^~\\&|||||||ORU^^ORU_R01|1")->event(), "ORU");
}

TEST(Header, FailsWithoutAUsableMshAndShowsAlmostNothing) {
  for (std::string_view bytes :
       {"", "\r", "GET / HTTP/1.1", "MSH", "MSH\r", "MSH||", "PID|1||MUSTER"}) {
    const auto header = Header::peek(bytes);
    ASSERT_FALSE(header) << bytes;
    EXPECT_EQ(header.error().code[0], 'H');
    EXPECT_THAT(header.error().text(), testing::Not(testing::HasSubstr("MUSTER")));
    EXPECT_FALSE(header.error().hint.empty());
  }
}

}  // namespace
}  // namespace cannula::hl7v2
