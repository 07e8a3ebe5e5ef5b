#include "parsers/hl7v2/timestamp.h"

#include <limits>

#include <gtest/gtest.h>

namespace cannula::hl7v2 {
namespace {

TEST(Timestamp, IsWrittenInUtcWithMilliseconds) {
  EXPECT_EQ(format_timestamp(0), "19700101000000.000+0000");
  EXPECT_EQ(format_timestamp(1768469442123456), "20260115093042.123+0000");
  EXPECT_EQ(format_timestamp(1709164800000000), "20240229000000.000+0000");
}

TEST(Timestamp, CountsBackwardsBefore1970) {
  EXPECT_EQ(format_timestamp(-1), "19691231235959.999+0000");
  EXPECT_EQ(format_timestamp(-86400000000), "19691231000000.000+0000");
}

TEST(Timestamp, IsClampedToFourDigitYears) {
  EXPECT_EQ(format_timestamp(std::numeric_limits<std::int64_t>::min()), "00010101000000.000+0000");
  EXPECT_EQ(format_timestamp(std::numeric_limits<std::int64_t>::max()), "99991231235959.999+0000");
}

}  // namespace
}  // namespace cannula::hl7v2
