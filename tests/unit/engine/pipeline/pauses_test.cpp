#include "engine/pipeline/pauses.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::pipeline {
namespace {

using testing::ElementsAre;

class PausesTest : public testing::Test {
 protected:
  PausesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "cannula-pauses-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    auto acts = ActLog::open(directory_);
    if (acts) acts_ = *std::move(acts);
    lab_.name = "lab";
    lab_.renamed_from = {"results"};
    lab_.destinations.emplace_back().name = "ehr";
    lab_.destinations.back().renamed_from = {"his", "kis"};
    lab_.destinations.emplace_back().name = "archive";
    site_.channels["lab"] = lab_;
  }
  ~PausesTest() override { std::filesystem::remove_all(directory_); }

  void was_paused(const std::string& channel, const std::string& part, store::Timestamp at = 1) {
    ASSERT_TRUE(acts_->record({at, "pause", channel, part, "ina", "at " + std::to_string(at)}));
  }
  std::vector<std::string> in_force() const {
    std::vector<std::string> all;
    for (const Act& act : pauses(*acts_, site_))
      all.push_back(act.channel + " " + act.part + " " + act.reason);
    return all;
  }

  std::filesystem::path directory_;
  std::unique_ptr<ActLog> acts_;
  config::ChannelConfig lab_;
  config::Site site_;
};

TEST_F(PausesTest, WhatWasPausedUnderAFormerNameIsPaused) {
  was_paused("results", "work");
  was_paused("results", "to:kis");
  EXPECT_TRUE(is_paused(*acts_, lab_, "work"));
  EXPECT_TRUE(is_paused(*acts_, lab_, "to:ehr"));
  EXPECT_FALSE(is_paused(*acts_, lab_, "intake"));
  EXPECT_FALSE(is_paused(*acts_, lab_, "to:archive"));
}

TEST_F(PausesTest, ToResumeEndsItUnderAllNames) {
  was_paused("results", "to:kis");
  was_paused("lab", "to:his");
  was_paused("results", "work");
  ASSERT_TRUE(record_pause(*acts_, lab_, "to:ehr", false, "ina", "mended"));
  EXPECT_FALSE(is_paused(*acts_, lab_, "to:ehr"));
  EXPECT_TRUE(is_paused(*acts_, lab_, "work")) << "nobody resumed that";
  acts_ = *ActLog::open(directory_);
  EXPECT_FALSE(is_paused(*acts_, lab_, "to:ehr")) << "after a restart";
}

TEST_F(PausesTest, TheyAreToldUnderTheNamesOfToday) {
  was_paused("results", "to:his", 1);
  was_paused("lab", "to:ehr", 2);
  was_paused("results", "work", 3);
  was_paused("gone", "intake", 4);
  was_paused("lab", "to:gone", 5);
  EXPECT_THAT(in_force(), ElementsAre("gone intake at 4", "lab to:ehr at 2", "lab to:gone at 5",
                                      "lab work at 3"));
}

TEST_F(PausesTest, APartMayBeNamedAsItWas) {
  EXPECT_EQ(*part_of(lab_, "to:kis"), "to:ehr");
  EXPECT_EQ(*part_of(lab_, "intake"), "intake");
  EXPECT_EQ(part_of(lab_, "to:gone").error().code, "P317");
  EXPECT_EQ(part_of(lab_, "everything").error().code, "P317");
}

}  // namespace
}  // namespace cannula::pipeline
