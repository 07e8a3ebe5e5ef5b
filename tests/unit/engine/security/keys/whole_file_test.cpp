#include "engine/security/keys/whole_file.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::security {
namespace {

class AppendLine : public testing::Test {
 protected:
  AppendLine() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "cannula-lines-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~AppendLine() override { std::filesystem::remove_all(directory_); }

  std::string content() const { return read_whole(path()).value().value_or("none"); }
  std::filesystem::path path() const { return directory_ / "state/lines"; }

  std::filesystem::path directory_;
};

TEST_F(AppendLine, MakesTheFileForItsOwnerAlone) {
  ASSERT_TRUE(append_line(path(), "one"));
  ASSERT_TRUE(append_line(path(), "two"));
  EXPECT_EQ(content(), "one\ntwo\n");
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(AppendLine, ALineThatACrashCutOffGoes) {
  for (const char* before : {"one\ntw", "tw", "one\n"}) {
    std::filesystem::create_directories(path().parent_path());
    std::ofstream(path(), std::ios::trunc) << before;
    ASSERT_TRUE(append_line(path(), "three"));
    EXPECT_EQ(content(), std::string(before[0] == 'o' ? "one\n" : "") + "three\n");
  }
}

TEST_F(AppendLine, SaysWhatIsInTheWay) {
  std::filesystem::create_directories(path());
  const auto written = append_line(path(), "one");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, "K104");
}

// Opening a pipe would wait for its other end, which may never come.
TEST_F(AppendLine, APipeIsRefusedAndNothingIsWrittenThroughALink) {
  std::filesystem::create_directories(path().parent_path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(read_whole(path()).error().code, "K104");
  EXPECT_EQ(append_line(path(), "one").error().code, "K104");
  ASSERT_TRUE(replace_whole(path(), "anew\n"));
  EXPECT_EQ(content(), "anew\n");
  const auto elsewhere = directory_ / "elsewhere";
  std::filesystem::rename(path(), elsewhere);
  std::filesystem::create_symlink(elsewhere, path());
  EXPECT_EQ(append_line(path(), "one").error().code, "K104");
  EXPECT_EQ(content(), "anew\n") << "reading through one is allowed: secrets are often mounted so";
}

}  // namespace
}  // namespace cannula::security
