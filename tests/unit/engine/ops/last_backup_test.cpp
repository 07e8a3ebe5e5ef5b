#include "engine/ops/last_backup.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace cannula::ops {
namespace {

class LastBackupTest : public testing::Test {
 protected:
  LastBackupTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cannula-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LastBackupTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(LastBackupTest, is_what_was_noted_last) {
  EXPECT_EQ(last_backup(folder_), std::nullopt);
  ASSERT_TRUE(note_backup(folder_, 1'760'000'000'000'000));
  ASSERT_TRUE(note_backup(folder_, 1'760'000'000'000'001));
  EXPECT_EQ(last_backup(folder_), 1'760'000'000'000'001);
}

TEST_F(LastBackupTest, what_was_not_written_so_is_no_time) {
  for (const char* text : {"", "\n", "yesterday\n", "1760000000000000", "17 60\n"}) {
    std::ofstream(folder_ / "last-backup") << text;
    EXPECT_EQ(last_backup(folder_), std::nullopt) << text;
  }
}

TEST_F(LastBackupTest, where_it_cannot_be_written_that_is_said) {
  EXPECT_EQ(note_backup(folder_ / "gone", 1).error().code, "K104");
}

}  // namespace
}  // namespace cannula::ops
