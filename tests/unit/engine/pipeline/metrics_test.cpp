#include "engine/pipeline/metrics.h"

#include <gtest/gtest.h>

namespace cannula::pipeline {
namespace {

using namespace std::chrono_literals;

// The bucket that a time alone is counted in.
std::size_t bucket_of(std::chrono::nanoseconds time) {
  Histogram histogram;
  histogram.record(time);
  std::size_t bucket = 0;
  while (histogram.count(bucket) == 0) ++bucket;
  return bucket;
}

TEST(Histogram, CountsATimeInTheFirstBucketThatHoldsIt) {
  EXPECT_EQ(bucket_of(-5ns), 0u);
  EXPECT_EQ(bucket_of(0ns), 0u);
  EXPECT_EQ(bucket_of(1us), 0u);
  EXPECT_EQ(bucket_of(2us), 1u);
  EXPECT_EQ(bucket_of(3us), 2u);
  EXPECT_EQ(bucket_of(4us), 2u);
  EXPECT_EQ(bucket_of(5us), 3u);
  EXPECT_EQ(bucket_of(std::chrono::microseconds(1 << 26)), Histogram::kBuckets - 1);
  EXPECT_EQ(bucket_of(std::chrono::microseconds((1 << 26) + 1)), Histogram::kBuckets);
  EXPECT_EQ(bucket_of(std::chrono::hours(24 * 365)), Histogram::kBuckets);
}

TEST(Histogram, AddsItsTimesUp) {
  Histogram histogram;
  histogram.record(3us);
  histogram.record(2ms);
  histogram.record(999ns);
  EXPECT_EQ(histogram.sum_microseconds(), 2003u);
}

}  // namespace
}  // namespace cannula::pipeline
