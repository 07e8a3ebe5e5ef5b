#include "parsers/hl7v2/dictionary/dictionary.h"

#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

TEST(Dictionary, KnowsEveryVersionFrom21To28) {
  for (std::size_t at = 0; at < kVersions; ++at) {
    const Dictionary& words = dictionary(static_cast<Version>(at));
    EXPECT_GE(words.segments().size(), 38u) << name_of(static_cast<Version>(at));
    EXPECT_GE(words.structures().size(), 39u) << name_of(static_cast<Version>(at));
    ASSERT_NE(words.segment("MSH"), nullptr);
    ASSERT_NE(words.segment("PID"), nullptr);
    EXPECT_EQ(words.segment("ZPI"), nullptr);
  }
}

TEST(Dictionary, GivesNameTypeLengthUsageAndTableOfAField) {
  const SegmentDefinition* pid = dictionary(Version::v2_5_1).segment("PID");
  ASSERT_NE(pid, nullptr);
  EXPECT_EQ(pid->text, "Patient Identification");
  ASSERT_EQ(pid->fields.size(), 39u);
  const PartDefinition* list = pid->field(3);
  EXPECT_EQ(list->name, "Patient Identifier List");
  EXPECT_EQ(list->type, "CX");
  EXPECT_EQ(list->length, 250u);
  EXPECT_EQ(list->repetitions, 0u);
  EXPECT_EQ(list->usage, Usage::required);
  EXPECT_EQ(pid->field(8)->table, "0001");
  EXPECT_EQ(pid->field(0), nullptr);
  EXPECT_EQ(pid->field(40), nullptr);
}

TEST(Dictionary, DiffersByVersionWhereTheStandardDoes) {
  const auto type_of_birth = [](Version version) {
    return dictionary(version).segment("PID")->field(7)->type;
  };
  EXPECT_EQ(type_of_birth(Version::v2_5_1), "TS");
  EXPECT_EQ(type_of_birth(Version::v2_7), "DTM");
  EXPECT_EQ(dictionary(Version::v2_3).segment("SPM"), nullptr);
  EXPECT_NE(dictionary(Version::v2_5).segment("SPM"), nullptr);
  EXPECT_EQ(dictionary(Version::v2_8).segment("PID")->field(2)->usage, Usage::backward);
}

TEST(Dictionary, LeavesLengthsOpenWhere27Does) {
  EXPECT_EQ(dictionary(Version::v2_6).segment("PID")->field(5)->length, 250u);
  EXPECT_EQ(dictionary(Version::v2_7).segment("PID")->field(5)->length, 0u);
}

TEST(Dictionary, TypeOfObx5IsNamedByObx2InEveryVersion) {
  for (std::size_t at = 0; at < kVersions; ++at) {
    const Dictionary& words = dictionary(static_cast<Version>(at));
    EXPECT_EQ(words.segment("OBX")->field(5)->type, "VARIES") << at;
    EXPECT_EQ(words.segment("OBX")->field(2)->repetitions, 1u) << at;
  }
}

TEST(Dictionary, GivesTheComponentsOfADataType) {
  const TypeDefinition* cx = dictionary(Version::v2_5_1).data_type("CX");
  ASSERT_NE(cx, nullptr);
  EXPECT_EQ(cx->component(4)->name, "Assigning Authority");
  EXPECT_EQ(cx->component(4)->type, "HD");
  const TypeDefinition* st = dictionary(Version::v2_5_1).data_type("ST");
  ASSERT_NE(st, nullptr);
  EXPECT_TRUE(st->components.empty());
}

TEST(Dictionary, TablesHaveTheirCodes) {
  const TableDefinition* sex = table("0001");
  ASSERT_NE(sex, nullptr);
  EXPECT_EQ(sex, table("1"));
  EXPECT_EQ(sex->meaning("F"), "Female");
  EXPECT_EQ(sex->meaning("X"), std::nullopt);
  EXPECT_EQ(table("9999"), nullptr);
  EXPECT_TRUE(table("0104")->meaning("2.8.2").has_value());
}

TEST(Dictionary, FindsTheStructureOfAnEvent) {
  const Dictionary& words = dictionary(Version::v2_5_1);
  EXPECT_EQ(words.structure("ADT", "A04")->name, "ADT_A01");
  EXPECT_EQ(words.structure("ORU", "R01")->name, "ORU_R01");
  EXPECT_EQ(words.structure("ACK", "")->name, "ACK");
  EXPECT_EQ(words.structure("XXX", "X01"), nullptr);
  EXPECT_EQ(dictionary(Version::v2_3).structure("ADT", "A04")->name, "ADT_A04");
}

// Two ROLs stand in ADT_A01; a package that keeps parts by name loses one.
TEST(Dictionary, AStructureKeepsSegmentsThatComeTwice) {
  const std::string_view text = dictionary(Version::v2_5_1).structure("ADT_A01")->definition;
  EXPECT_NE(text.find("[PD1] [{ROL}]"), std::string_view::npos);
  EXPECT_NE(text.find("[PV2] [{ROL}]"), std::string_view::npos);
}

TEST(Dictionary, ReadsMsh12AsTheNewestVersionNotNewer) {
  EXPECT_EQ(version_of("2.5.1"), Version::v2_5_1);
  EXPECT_EQ(version_of("2.5.2"), Version::v2_5_1);
  EXPECT_EQ(version_of("2.9.1"), Version::v2_8);
  EXPECT_EQ(version_of("2.10"), Version::v2_8);
  EXPECT_EQ(version_of("2.0"), std::nullopt);
  EXPECT_EQ(version_of("3.0"), std::nullopt);
  EXPECT_EQ(version_of(""), std::nullopt);
  EXPECT_EQ(version_of("2.x"), std::nullopt);
}

}  // namespace
}  // namespace cannula::hl7v2
