#include "channels/transport/complaints.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

using namespace std::chrono_literals;

TEST(Complaints, SayTheFirstOfManyAndHowManyWereKeptBack) {
  Complaints complaints;
  const auto begun = Complaints::Clock::now();
  EXPECT_EQ(complaints.about("10.0.0.1", "refused", begun), "refused");
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(complaints.about("10.0.0.1", "refused", begun + i * 9ms));
  }
  EXPECT_EQ(complaints.about("10.0.0.1", "refused", begun + 10s),
            "refused (and 1000 more about this address)");
  EXPECT_FALSE(complaints.about("10.0.0.1", "refused", begun + 11s));
}

TEST(Complaints, AreOfOneAddressEach) {
  Complaints complaints;
  const auto begun = Complaints::Clock::now();
  EXPECT_TRUE(complaints.about("10.0.0.1", "refused", begun));
  EXPECT_TRUE(complaints.about("10.0.0.2", "refused", begun));
  EXPECT_FALSE(complaints.about("10.0.0.1", "refused", begun));
}

TEST(Complaints, OfOneAddressAreKeptBackAlsoWhenThereAreManyOthers) {
  Complaints complaints;
  const auto begun = Complaints::Clock::now();
  for (int i = 0; i < 100'000; ++i) complaints.about(std::to_string(i), "refused", begun + i * 1ms);
  complaints.about("10.0.0.1", "refused", begun + 100s);
  EXPECT_FALSE(complaints.about("10.0.0.1", "refused", begun + 101s));
}

}  // namespace
}  // namespace cannula
