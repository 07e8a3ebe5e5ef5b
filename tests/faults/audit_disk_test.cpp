// The audit trail on a disk that is full, or that loses its power at any operation.
#include <gmock/gmock.h>

#include "engine/security/audit/log.h"
#include "engine/security/audit/verify.h"
#include "tests/faults/store_faulty_file_system.h"

namespace cannula::audit {
namespace {

using testing::HasSubstr;

class LogOnATroubledDisk : public testing::Test {
 protected:
  static Entry act(int number) {
    return {.act = "message.show", .object = {.message = std::to_string(number)}};
  }
  static Options on(store::FileSystem& disk) {
    Options options;
    options.directory = "/site/state/audit";
    options.file_system = &disk;
    return options;
  }
  static Verdict verdict(store::FileSystem& disk) {
    return *verify({.directory = "/site/state/audit", .file_system = &disk});
  }
};

TEST_F(LogOnATroubledDisk, ActsAreRefusedWhileTheDiskIsFullAndTheTrailGoesOnAfterwards) {
  store::FaultyFileSystem disk;
  std::vector<std::string> reports;
  Options options = on(disk);
  options.report = [&](bool trouble, const std::string& text) {
    if (trouble) reports.push_back(text);
  };
  Log log(options);
  ASSERT_TRUE(log.append(act(1)));
  disk.fail_at(disk.operations() + 1, 1'000'000, "J103");
  const auto refused = log.append(act(2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "A101");
  EXPECT_FALSE(log.health().trouble.empty());
  for (int i = 0; i < 1500; ++i) log.note(act(i));
  EXPECT_EQ(log.health().lost, 500u);
  EXPECT_EQ(reports.size(), 1u);
  disk.fail_at(0, 0, "");
  ASSERT_TRUE(log.append(act(3)));
  EXPECT_TRUE(log.health().trouble.empty());
  log.close();
  const Verdict found = verdict(disk);
  EXPECT_TRUE(found.sound()) << render(found.findings);
  EXPECT_EQ(found.entries, 1u + 1000 + 1 + 1) << "the refused act is not in the trail";
  EXPECT_THAT(disk.content("/site/state/audit/000000000001.log"),
              HasSubstr("\"entries_lost\":\"500\""));
}

// At each operation of the disk the power goes: what was answered is there, and the trail is sound.
TEST_F(LogOnATroubledDisk, WhatWasAnsweredSurvivesACrashAtEveryOperation) {
  using Unsynced = store::FaultyFileSystem::Unsynced;
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::torn}) {
    for (std::uint64_t at = 1; at < 80; ++at) {
      store::FaultyFileSystem disk(at);
      disk.crash_at(at);
      Options small = on(disk);
      small.file_size = 1000;
      std::uint64_t answered = 0;
      {
        Log log(small);
        for (int i = 0; i < 10; ++i) {
          if (const auto number = log.append(act(i))) answered = *number;
        }
      }
      disk.restart(unsynced);
      {
        Log log(small);
        ASSERT_TRUE(log.append(act(99)));
        EXPECT_GT(log.health().entries, answered);
      }
      const Verdict found = verdict(disk);
      EXPECT_GT(found.head.sequence, answered) << at;
      // A head that the power tore within its sector looks as one that somebody changed.
      const bool torn_head = unsynced == Unsynced::torn && found.findings.size() == 1 &&
                             found.findings.front().code == "A113";
      ASSERT_TRUE(found.sound() || torn_head) << "crash at " << at << "\n"
                                              << render(found.findings);
    }
  }
}

}  // namespace
}  // namespace cannula::audit
