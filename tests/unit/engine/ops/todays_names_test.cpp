#include "engine/ops/todays_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::ops {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TodaysNames : public testing::Test {
 protected:
  TodaysNames() {
    config::ChannelConfig& lab = site_.channels["lab"];
    lab.name = "lab";
    lab.renamed_from = {"results"};
    lab.destinations.emplace_back().name = "ehr";
    lab.destinations.back().renamed_from = {"his"};
  }
  config::Site site_;
};

TEST_F(TodaysNames, CountsOfFormerNamesAreAdded) {
  std::vector<std::string> told;
  const auto added = under_todays_names({{"lab", "", "queued", 1},
                                         {"lab", "ehr", "queued", 1},
                                         {"results", "", "queued", 2},
                                         {"results", "his", "queued", 3},
                                         {"results", "paper", "dead", 4},
                                         {"adt", "his", "dead", 5}},
                                        site_);
  for (const auto& one : added) {
    told.push_back(one.channel + " " + one.destination + " " + one.state + " " +
                   std::to_string(one.count));
  }
  EXPECT_THAT(
      told, ElementsAre("adt his dead 5", "lab  queued 3", "lab ehr queued 4", "lab paper dead 4"));
}

TEST_F(TodaysNames, AQueryByOneNameIsOfAllOfThem) {
  store::MessageQuery query{.channel = "results", .destination = "ehr"};
  widen_to_former_names(query, site_);
  EXPECT_THAT(query.also_of_channels, ElementsAre("lab"));
  EXPECT_THAT(query.also_to, ElementsAre("his"));
  store::LetterQuery other{.channel = "adt", .destination = "his"};
  widen_to_former_names(other, site_);
  EXPECT_THAT(other.also_of_channels, IsEmpty());
  EXPECT_THAT(other.also_to, IsEmpty());
}

}  // namespace
}  // namespace cannula::ops
