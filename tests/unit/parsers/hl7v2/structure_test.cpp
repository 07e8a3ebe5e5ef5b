#include "parsers/hl7v2/structure.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A message of the type with the named segments, each with its position in field 1.
Message message_of(std::string_view type, std::string_view segments) {
  std::string text = "MSH|^~\\&|||||||" + std::string(type) + "|1|P|2.5.1\r";
  while (!segments.empty()) {
    text += std::string(segments.substr(0, 3)) + "|1\r";
    segments.remove_prefix(std::min<std::size_t>(segments.size(), 4));
  }
  return *Message::parse(make_bytes(text));
}

std::string names(const Message& message, const Group& group) {
  std::string text;
  for (SegmentId segment : group.segments) {
    if (!text.empty()) text += ' ';
    text += message.name_of(segment);
  }
  return text;
}

std::vector<std::string> groups(const Message& message, std::string_view name) {
  std::vector<std::string> found;
  for (const Group& group : message.groups(name)) found.push_back(names(message, group));
  return found;
}

TEST(Structure, DividesAResultIntoItsOrders) {
  const Message message =
      message_of("ORU^R01", "PID PV1 ORC OBR NTE OBX NTE OBX OBR OBX SPM PID OBR OBX");
  EXPECT_THAT(groups(message, "PATIENT_RESULT"),
              ElementsAre("PID PV1 ORC OBR NTE OBX NTE OBX OBR OBX SPM", "PID OBR OBX"));
  EXPECT_THAT(groups(message, "PATIENT"), ElementsAre("PID PV1", "PID"));
  EXPECT_THAT(groups(message, "VISIT"), ElementsAre("PV1"));
  EXPECT_THAT(groups(message, "ORDER_OBSERVATION"),
              ElementsAre("ORC OBR NTE OBX NTE OBX", "OBR OBX SPM", "OBR OBX"));
  EXPECT_THAT(groups(message, "OBSERVATION"), ElementsAre("OBX NTE", "OBX", "OBX", "OBX"));
  EXPECT_THAT(groups(message, "SPECIMEN"), ElementsAre("SPM"));
}

TEST(Structure, GroupsStandInsideOfGroups) {
  const Message message = message_of("ORU^R01", "PID OBR OBX OBX OBR OBX NTE");
  const auto orders = message.groups("ORDER_OBSERVATION");
  ASSERT_EQ(orders.size(), 2U);
  EXPECT_EQ(message.groups("OBSERVATION", orders[0]).size(), 2U);
  const auto second = message.groups("OBSERVATION", orders[1]);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(names(message, second[0]), "OBX NTE");
  EXPECT_THAT(message.groups("PATIENT", orders[0]), IsEmpty());
}

TEST(Structure, UnknownSegmentsStayInTheirGroup) {
  const Message message = message_of("ORU^R01", "PID ZPI OBR ZBR OBX ZBX ZBY OBX OBR ZZZ");
  EXPECT_THAT(groups(message, "PATIENT"), ElementsAre("PID ZPI"));
  EXPECT_THAT(groups(message, "OBSERVATION"), ElementsAre("OBX ZBX ZBY", "OBX"));
  EXPECT_THAT(groups(message, "ORDER_OBSERVATION"),
              ElementsAre("OBR ZBR OBX ZBX ZBY OBX", "OBR ZZZ"));
}

TEST(Structure, RecoversWhereSegmentsAreMissing) {
  EXPECT_THAT(groups(message_of("ORU^R01", "PID OBX OBX"), "OBSERVATION"),
              ElementsAre("OBX", "OBX"));
  EXPECT_THAT(groups(message_of("ORU^R01", "OBR OBX"), "ORDER_OBSERVATION"),
              ElementsAre("OBR OBX"));
  EXPECT_THAT(groups(message_of("ORU^R01", "ORC ORC OBR"), "ORDER_OBSERVATION"),
              ElementsAre("ORC", "ORC OBR"));
  EXPECT_THAT(groups(message_of("ORU^R01", "PID OBR OBX PV1 OBX"), "OBSERVATION"),
              ElementsAre("OBX PV1", "OBX"));
}

TEST(Structure, TheNextOrderIsNotAPriorResult) {
  const Message message =
      message_of("OML^O21", "PID PV1 ORC OBR OBX SPM ORC OBR OBR ORC OBR PID OBR OBX");
  EXPECT_THAT(groups(message, "ORDER"),
              ElementsAre("ORC OBR OBX SPM", "ORC OBR", "OBR", "ORC OBR PID OBR OBX"));
  EXPECT_THAT(groups(message, "PRIOR_RESULT"), ElementsAre("PID OBR OBX"));
}

TEST(Structure, KnowsTheCommonEvents) {
  EXPECT_THAT(groups(message_of("ADT^A01", "EVN PID PV1 PR1 ROL PR1 IN1 IN2 IN1"), "INSURANCE"),
              ElementsAre("IN1 IN2", "IN1"));
  EXPECT_THAT(groups(message_of("ADT^A40", "EVN PID MRG PID MRG PV1"), "PATIENT"),
              ElementsAre("PID MRG", "PID MRG PV1"));
  EXPECT_THAT(groups(message_of("ORM^O01", "PID PV1 ORC OBR NTE ORC OBR OBX"), "ORDER"),
              ElementsAre("ORC OBR NTE", "ORC OBR OBX"));
  EXPECT_THAT(groups(message_of("MDM^T02", "EVN PID PV1 TXA OBX NTE OBX"), "OBSERVATION"),
              ElementsAre("OBX NTE", "OBX"));
  EXPECT_THAT(groups(message_of("SIU^S12", "SCH PID PV1 RGS AIS AIL AIP RGS AIG"), "RESOURCES"),
              ElementsAre("RGS AIS AIL AIP", "RGS AIG"));
  EXPECT_THAT(groups(message_of("VXU^V04", "PID NK1 ORC RXA RXR OBX OBX ORC RXA"), "ORDER"),
              ElementsAre("ORC RXA RXR OBX OBX", "ORC RXA"));
  EXPECT_EQ(message_of("ADT^A08", "").structure(), "ADT_A01");
  EXPECT_EQ(message_of("ADT^A40", "").structure(), "ADT_A39");
  EXPECT_EQ(message_of("ORU^R01^ORU_R30", "").structure(), "ORU_R30");
}

TEST(Structure, KnowsEveryStructureOfTheDictionary) {
  EXPECT_GT(Structure::all().size(), 400U);
  EXPECT_THAT(groups(message_of("RDE^O11", "PID PV1 ORC RXE RXR ORC RXE"), "ORDER"),
              ElementsAre("ORC RXE RXR", "ORC RXE"));
  EXPECT_THAT(groups(message_of("BAR^P01", "EVN PID PV1 DG1 IN1 IN1 PV1 DG1"), "VISIT"),
              ElementsAre("PV1 DG1 IN1 IN1", "PV1 DG1"));
  EXPECT_THAT(groups(message_of("MFN^M02", "MFI MFE STF PRA MFE STF"), "MF_STAFF"),
              ElementsAre("MFE STF PRA", "MFE STF"));
  EXPECT_THAT(groups(message_of("OMG^O19", "PID ORC OBR ORC OBR"), "ORDER"),
              ElementsAre("ORC OBR", "ORC OBR"));
  EXPECT_EQ(message_of("SIU^S15", "").structure(), "SIU_S12");
  EXPECT_EQ(message_of("ADT^Z99", "").structure(), "ADT_A01");
}

TEST(Structure, UnknownMessagesHaveNoGroups) {
  EXPECT_THAT(groups(message_of("ZZZ^Z01", "PID OBR"), "PATIENT"), IsEmpty());
  EXPECT_THAT(groups(message_of("ORU^R01", "PID OBR"), "NO_SUCH_GROUP"), IsEmpty());
  EXPECT_THAT(groups(message_of("", "PID OBR"), "PATIENT"), IsEmpty());
}

TEST(Structure, FollowsSegmentsThatWereAddedAndRemoved) {
  Message message = message_of("ORU^R01", "PID OBR OBX OBR OBX");
  ASSERT_TRUE(message.add_segment("NTE|1", *message.find("OBX")));
  ASSERT_TRUE(message.remove_segment(*message.find("OBR", 2)));
  EXPECT_THAT(groups(message, "ORDER_OBSERVATION"), ElementsAre("OBR OBX NTE OBX"));
}

TEST(Structure, TheTablesHoldNoGroupTwice) {
  for (const Structure& structure : Structure::all()) {
    const auto all = structure.group_names();
    EXPECT_EQ(std::set<std::string_view>(all.begin(), all.end()).size(), all.size())
        << structure.name();
    for (std::string_view name : all)
      EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"), name.npos) << name;
  }
}

}  // namespace
}  // namespace cannula::hl7v2
