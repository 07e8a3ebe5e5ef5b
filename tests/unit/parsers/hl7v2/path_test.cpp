#include "parsers/hl7v2/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

using testing::HasSubstr;

Path path(std::string_view text) {
  auto result = Path::parse(text);
  EXPECT_TRUE(result) << text;
  return result ? *result : Path{};
}

TEST(Path, ReadsAllPartsOfAFullPath) {
  const Path read = path("PID-3[2].4.1");
  EXPECT_EQ(read.segment_name(), "PID");
  EXPECT_EQ(read.segment_index, 1U);
  EXPECT_EQ(read.field, 3U);
  EXPECT_EQ(read.repetition, 2U);
  EXPECT_EQ(read.component, 4U);
  EXPECT_EQ(read.subcomponent, 1U);
}

TEST(Path, ReadsSegmentIndexAndStars) {
  EXPECT_EQ(path("OBX[2]-5").segment_index, 2U);
  EXPECT_EQ(path("OBX[*]-3.1").segment_index, Path::kAll);
  EXPECT_EQ(path("PID-3[*].4.2").repetition, Path::kAll);
  EXPECT_EQ(path("PID").field, 0U);
}

TEST(Path, IsRelativeWhenItBeginsWithANumber) {
  EXPECT_EQ(path("3.1").segment_name(), "");
  EXPECT_EQ(path("3.1").component, 1U);
  EXPECT_EQ(path("5[2].1").repetition, 2U);
}

TEST(Path, ReadsTheFormsThatPeopleBringFromOtherEngines) {
  EXPECT_EQ(path("PID.3.1"), path("PID-3.1"));
  EXPECT_EQ(path("PID-3-1"), path("PID-3.1"));
  EXPECT_EQ(path("pid-3.1"), path("PID-3.1"));
}

TEST(Path, TextReadsBackAsTheSamePath) {
  for (std::string_view text :
       {"PID", "PID-3", "PID-3.1", "PID-3[1]", "PID-3[2].1", "PID-3[*].4.2", "OBX[2]-5",
        "OBX[*]-3.1", "OBX[*]", "3", "3.1", "3[2].4.2", "ZPI-65535", "OBX[9999999]-1"}) {
    EXPECT_EQ(path(text).text(), text);
  }
  EXPECT_EQ(path("PID[1].3-1").text(), "PID-3.1");
}

struct BadPath {
  std::string_view text;
  std::string_view code;
  std::size_t position;
  std::string_view says;
};

class BadPaths : public testing::TestWithParam<BadPath> {};

TEST_P(BadPaths, AreRefusedWithCodePositionAndRemedy) {
  const auto result = Path::parse(GetParam().text);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, GetParam().code);
  ASSERT_TRUE(result.error().span);
  EXPECT_EQ(result.error().span->begin, GetParam().position);
  EXPECT_THAT(result.error().message, HasSubstr(std::string(GetParam().says)));
  EXPECT_FALSE(result.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Path, BadPaths,
    testing::Values(
        BadPath{"", "H001", 0, "empty"}, BadPath{"PI-3", "H001", 2, "three characters"},
        BadPath{"PIDX-3", "H001", 3, "has 4"}, BadPath{"PID-", "H001", 4, "field number"},
        BadPath{"PID-0", "H002", 4, "field number"},
        BadPath{"PID-3.0", "H002", 6, "component number"},
        BadPath{"PID-3[0]", "H002", 6, "repetition"}, BadPath{"PID-65536", "H002", 4, "65535"},
        BadPath{"PID-99999999999999999999999", "H002", 4, "65535"},
        BadPath{"PID-3[2", "H001", 7, "']'"}, BadPath{"PID-3[].1", "H001", 6, "repetition number"},
        BadPath{"PID-3.1[2]", "H001", 7, "does not repeat"},
        BadPath{"PID-3.1.2.3", "H001", 9, "the end"}, BadPath{"PID 3", "H001", 3, "' '"},
        BadPath{"-3", "H001", 0, "field number"}, BadPath{"PID-*", "H001", 4, "field number"},
        BadPath{"PID-3 ", "H001", 5, "component number"},
        BadPath{std::string_view("PID\0", 4), "H001", 3, "expected"}));

}  // namespace
}  // namespace cannula::hl7v2
