#include "parsers/hl7v2/types.h"

#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

TEST(Types, LeavesAndCompositesAreTold) {
  for (std::string_view type : {"ST", "TX", "FT", "NM", "ID", "SI", "DT"}) {
    EXPECT_EQ(shape_of_type(type), Shape::leaf) << type;
  }
  for (std::string_view type : {"CWE", "CE", "CX", "XPN", "XTN", "ED", "SN"}) {
    EXPECT_EQ(shape_of_type(type), Shape::composite) << type;
  }
}

// What one version makes a leaf and another a composite is left to the text.
TEST(Types, WhatVersionsDisagreeAboutIsUnknown) {
  for (std::string_view type : {"TS", "IS", "CM", "TQ", "", "XYZ"})
    EXPECT_EQ(shape_of_type(type), Shape::unknown) << type;
  EXPECT_EQ(shape_of("PV1", 3, 1, ""), Shape::unknown);  // PL.1: IS, later HD
  EXPECT_EQ(shape_of("PID", 7, 0, ""), Shape::unknown);
}

TEST(Types, FieldsHaveTheTypeOfTheirSegment) {
  EXPECT_EQ(shape_of("PID", 5, 0, ""), Shape::composite);
  EXPECT_EQ(shape_of("PID", 5, 1, ""), Shape::composite);  // FN
  EXPECT_EQ(shape_of("PID", 5, 2, ""), Shape::leaf);
  EXPECT_EQ(shape_of("PID", 3, 4, ""), Shape::composite);  // HD
  EXPECT_EQ(shape_of("PID", 19, 0, ""), Shape::leaf);
  EXPECT_EQ(shape_of("PID", 39, 0, ""), Shape::composite);
  EXPECT_EQ(shape_of("PID", 40, 0, ""), Shape::unknown);
  EXPECT_EQ(shape_of("NTE", 3, 0, ""), Shape::leaf);
  EXPECT_EQ(shape_of("NTE", 3, 1, ""), Shape::leaf);
  EXPECT_EQ(shape_of("MSH", 9, 0, ""), Shape::composite);
  EXPECT_EQ(shape_of("ZPI", 1, 0, ""), Shape::unknown);
}

TEST(Types, Obx5IsWhatObx2Says) {
  EXPECT_EQ(shape_of("OBX", 5, 0, "FT"), Shape::leaf);
  EXPECT_EQ(shape_of("OBX", 5, 1, "FT"), Shape::leaf);
  EXPECT_EQ(shape_of("OBX", 5, 0, "CWE"), Shape::composite);
  EXPECT_EQ(shape_of("OBX", 5, 2, "CWE"), Shape::leaf);
  EXPECT_EQ(shape_of("OBX", 5, 0, ""), Shape::unknown);
  EXPECT_EQ(shape_of("OBX", 5, 0, "??"), Shape::unknown);
  EXPECT_EQ(shape_of("OBX", 3, 0, "FT"), Shape::composite);
}

}  // namespace
}  // namespace cannula::hl7v2
