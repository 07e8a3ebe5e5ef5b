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

TEST(Complaints, AFewThatSaySomethingElseAreSaidToo) {
  Complaints complaints;
  const auto begun = Complaints::Clock::now();
  std::size_t said = 0;
  for (int i = 0; i < 100; ++i) {
    for (const char* why : {"no certificate", "expired", "unknown authority"}) {
      if (complaints.about("10.0.0.1", why, begun)) ++said;
    }
  }
  EXPECT_EQ(said, 3u);
  for (int i = 0; i < 100; ++i) {
    if (complaints.about("10.0.0.1", std::to_string(i), begun)) ++said;
  }
  EXPECT_EQ(said, Complaints::kMostDifferent) << "a sender can make them up";
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
