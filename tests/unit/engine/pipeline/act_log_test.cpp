#include "engine/pipeline/act_log.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace cannula::pipeline {
namespace {

// While it lives no file of this process grows beyond so many bytes: a write that would stops
// there, as on a disk that fills up.
class FullDisk {
 public:
  explicit FullDisk(std::uintmax_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

class ActLogTest : public testing::Test {
 protected:
  ActLogTest() {
    std::string name = (std::filesystem::temp_directory_path() / "cannula-acts-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~ActLogTest() override { std::filesystem::remove_all(directory_); }

  static Act act(const char* what) { return {1, what, "lab", "work", "anna", "a test"}; }
  std::uintmax_t size() const { return std::filesystem::file_size(directory_ / "acts.jsonl"); }

  std::filesystem::path directory_;
};

TEST_F(ActLogTest, AnActThatWasRefusedIsNotInForceAfterTheNextStart) {
  const auto log = *ActLog::open(directory_);
  ASSERT_TRUE(log->record(act("pause")));
  const auto pause = size();
  ASSERT_TRUE(log->record(act("resume")));
  const auto both = size();
  // All of it but the end of the line: it could be read.
  for (const std::uintmax_t room : {pause - 1, pause / 2, std::uintmax_t{0}}) {
    {
      const FullDisk full(both + room);
      const auto refused = log->record(act("pause"));
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, "P316");
    }
    EXPECT_FALSE(log->is_paused("lab", "work"));
    EXPECT_FALSE((*ActLog::open(directory_))->is_paused("lab", "work")) << room;
    EXPECT_EQ(size(), both);
  }
  ASSERT_TRUE(log->record(act("pause")));
  EXPECT_TRUE((*ActLog::open(directory_))->is_paused("lab", "work"));
}

TEST_F(ActLogTest, AFileThatCannotBeReadIsNoEmptyOne) {
  EXPECT_TRUE(ActLog::open(directory_)) << "there is none yet";
  std::filesystem::create_directory(directory_ / "acts.jsonl");  // whose reading fails
  const auto opened = ActLog::open(directory_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "P316");
}

}  // namespace
}  // namespace cannula::pipeline
