#include "channels/file/inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Inbox : public testing::Test {
 protected:
  file::Inbox inbox(std::chrono::milliseconds stable_for, bool keep = true) const {
    return file::Inbox(
        {drop, "*.hl7", stable_for, keep ? drop / ".done" : fs::path(), drop / ".errors", 1 << 20});
  }
  static std::vector<std::string> names(const Result<std::vector<file::WaitingFile>>& files) {
    std::vector<std::string> all;
    for (const auto& waiting : *files) all.push_back(waiting.name);
    return all;
  }
  static file::WaitingFile only(const Result<std::vector<file::WaitingFile>>& files) {
    EXPECT_TRUE(files) << files.error().text();
    EXPECT_EQ(files->size(), 1u);
    return files->at(0);
  }
  void put(const std::string& name, std::string_view content) const {
    folder.write("drop/" + name, content);
  }

  Folder folder;
  const fs::path drop = [this] {
    fs::create_directory(folder.path / "drop");
    return folder.path / "drop";
  }();
  const fs::path elsewhere = [this] {
    fs::create_directory(folder.path / "elsewhere");
    return folder.path / "elsewhere";
  }();
  const std::chrono::steady_clock::time_point start{1h};
};

TEST_F(Inbox, WaitsUntilAFileHasNotChangedForAWhile) {
  file::Inbox watched = inbox(5s);
  put("a.hl7", "one");
  EXPECT_THAT(names(watched.look(start)), IsEmpty());
  EXPECT_THAT(names(watched.look(start + 4s)), IsEmpty());
  put("a.hl7", "one and more");
  EXPECT_THAT(names(watched.look(start + 6s)), IsEmpty()) << "it grew";
  EXPECT_THAT(names(watched.look(start + 10s)), IsEmpty());
  EXPECT_THAT(names(watched.look(start + 11s)), ElementsAre("a.hl7"));
}

TEST_F(Inbox, TakesARenamedFileAtOnceAndKeepsThatInMind) {
  file::Inbox watched = inbox(1h);
  put("a.tmp", "one");
  EXPECT_THAT(names(watched.look(start)), IsEmpty());
  fs::rename(drop / "a.tmp", drop / "a.hl7");
  EXPECT_THAT(names(watched.look(start + 1s)), ElementsAre("a.hl7"));
  EXPECT_THAT(names(watched.look(start + 2s)), ElementsAre("a.hl7")) << "when it was not taken";
}

TEST_F(Inbox, TellsWhenAFileChangedBeforeItWasClaimedOrRead) {
  file::Inbox watched = inbox(0s);
  put("a.hl7", "one");
  file::WaitingFile before = only(watched.look(start));
  put("a.hl7", "one and more");
  EXPECT_FALSE(watched.claim(before).value());
  EXPECT_TRUE(fs::exists(drop / "a.hl7")) << "it is left to its sender until it is complete";

  file::WaitingFile seen = only(watched.look(start));
  ASSERT_TRUE(watched.claim(seen).value());
  EXPECT_TRUE(watched.read(seen)->unchanged);
  folder.write("drop/.claimed/a.hl7", "by who had it open before, even more");
  EXPECT_FALSE(watched.read(seen)->unchanged);
  fs::remove(drop / ".claimed/a.hl7");
  EXPECT_FALSE(watched.read(seen)->unchanged);
}

TEST_F(Inbox, FinishesTheFileThatItReadAndNoneThatCameAfterwards) {
  for (const bool keep : {true, false}) {
    file::Inbox watched = inbox(0s, keep);
    put("a.hl7", "first");
    file::WaitingFile file = only(watched.look(start));
    ASSERT_TRUE(watched.claim(file).value());
    put("a.hl7", "second");
    EXPECT_EQ(watched.read(file)->bytes, "first");
    ASSERT_TRUE(watched.finish(file));
    EXPECT_EQ(content_of(drop / "a.hl7"), "second") << keep;
    EXPECT_FALSE(fs::exists(drop / ".claimed/a.hl7"));
    fs::remove(drop / "a.hl7");
  }
  EXPECT_EQ(content_of(drop / ".done/a.hl7"), "first");
}

TEST_F(Inbox, LeavesASecondFileOfANameUntilTheFirstIsFinished) {
  file::Inbox watched = inbox(0s);
  put("a.hl7", "first");
  file::WaitingFile first = only(watched.look(start));
  ASSERT_TRUE(watched.claim(first).value());
  put("a.hl7", "second");
  std::vector<file::WaitingFile> both = watched.look(start).value();
  ASSERT_EQ(both.size(), 2u);
  for (file::WaitingFile& file : both) {
    EXPECT_FALSE(!file.claimed && watched.claim(file).value());
  }
  EXPECT_EQ(content_of(drop / ".claimed/a.hl7"), "first");
  EXPECT_EQ(content_of(drop / "a.hl7"), "second");
}

TEST_F(Inbox, FindsWhatIsStillClaimedAfterAStart) {
  put("a.hl7", "one");
  {
    file::Inbox watched = inbox(0s);
    file::WaitingFile file = only(watched.look(start));
    ASSERT_TRUE(watched.claim(file).value());
  }
  file::Inbox watched = inbox(5s);
  EXPECT_THAT(names(watched.look(start)), IsEmpty()) << "its sender may be writing it";
  const file::WaitingFile again = only(watched.look(start + 5s));
  EXPECT_TRUE(again.claimed);
  EXPECT_EQ(watched.read(again)->bytes, "one");
}

TEST_F(Inbox, NeverReadsWhatIsNoFile) {
  folder.write("elsewhere/secret.hl7", "secret");
  file::Inbox watched = inbox(0s);
  put("a.hl7", "one");
  file::WaitingFile file = only(watched.look(start));
  fs::remove(drop / "a.hl7");
  fs::create_symlink(elsewhere / "secret.hl7", drop / "a.hl7");
  EXPECT_FALSE(watched.claim(file).value());

  // As when it was exchanged between the look and the claim.
  fs::rename(drop / "a.hl7", drop / ".claimed/a.hl7");
  ASSERT_EQ(::mkfifo((drop / ".claimed/b.hl7").c_str(), 0600), 0);
  const auto found = watched.look(start).value();
  ASSERT_EQ(found.size(), 2u);
  for (const file::WaitingFile& one : found) {
    EXPECT_FALSE(one.regular);
    EXPECT_EQ(watched.read(one)->bytes, "");
    EXPECT_TRUE(watched.set_aside(one, "no file")) << "so that its name is free again";
  }
  EXPECT_TRUE(fs::is_empty(drop / ".claimed"));
  EXPECT_EQ(content_of(elsewhere / "secret.hl7"), "secret");
}

TEST_F(Inbox, WritesNoReasonThroughALink) {
  const fs::path victim = folder.write("elsewhere/victim", "precious");
  file::Inbox watched = inbox(0s);
  ASSERT_TRUE(watched.prepare());
  fs::create_symlink(victim, drop / ".errors/evil.hl7.reason.txt");
  fs::create_symlink(elsewhere / "made", drop / ".errors/evil.hl7");
  put("evil.hl7", "one");
  file::WaitingFile file = only(watched.look(start));
  ASSERT_TRUE(watched.claim(file).value());
  const auto aside = watched.set_aside(file, "the reason\n");
  EXPECT_TRUE(aside) << aside.error().text();
  EXPECT_EQ(content_of(victim), "precious");
  EXPECT_FALSE(fs::exists(elsewhere / "made"));
  EXPECT_EQ(content_of(drop / ".errors/evil.hl7.1"), "one");
  const fs::path reason = drop / ".errors/evil.hl7.1.reason.txt";
  EXPECT_EQ(content_of(reason), "the reason\n");
  EXPECT_EQ(fs::status(reason).permissions() & fs::perms::others_all, fs::perms::none);

  fs::create_symlink(victim, drop / ".errors/b.hl7.reason.txt");
  put("b.hl7", "two");
  file::WaitingFile second = only(watched.look(start));
  ASSERT_TRUE(watched.claim(second).value());
  EXPECT_TRUE(watched.set_aside(second, "another\n"));
  EXPECT_EQ(content_of(victim), "precious");
  EXPECT_EQ(content_of(drop / ".errors/b.hl7.reason.1.txt"), "another\n");
}

TEST_F(Inbox, WritesAReasonBesideAFileWithTheLongestName) {
  const std::string name = std::string(251, 'n') + ".hl7";
  file::Inbox watched = inbox(0s);
  put(name, "one");
  file::WaitingFile file = only(watched.look(start));
  ASSERT_TRUE(watched.claim(file).value());
  const auto aside = watched.set_aside(file, "the reason\n");
  EXPECT_TRUE(aside) << aside.error().text();
}

TEST_F(Inbox, UsesNoFolderThatIsALinkOrSomebodyElses) {
  for (const char* name : {".claimed", ".done", ".errors"}) {
    fs::create_directory_symlink(elsewhere, drop / name);
    const auto prepared = inbox(0s).prepare();
    ASSERT_FALSE(prepared) << name;
    EXPECT_EQ(prepared.error().code, "F107");
    EXPECT_THAT(prepared.error().message, HasSubstr((drop / name).string() + " is a link"));
    EXPECT_THAT(prepared.error().hint, HasSubstr("move it away"));
    file::Inbox watched = inbox(0s);
    EXPECT_EQ(watched.look(start).error().code, "F107") << "also when it comes later";
    fs::remove(drop / name);
    if (::geteuid() != 0) continue;  // who is not root cannot give a folder away
    fs::create_directory(drop / name);
    ASSERT_EQ(::chown((drop / name).c_str(), 12345, 12345), 0);
    EXPECT_EQ(inbox(0s).prepare().error().code, "F107") << name;
    EXPECT_THAT(inbox(0s).prepare().error().message, HasSubstr("belongs to user 12345"));
    fs::remove(drop / name);
  }
  EXPECT_TRUE(fs::is_empty(elsewhere));
  EXPECT_TRUE(inbox(0s).prepare());
}

TEST_F(Inbox, FollowsNoLinkOnTheWayToAFolderInTheDrop) {
  fs::create_directory_symlink(elsewhere, drop / "archive");
  file::Inbox watched({drop, "*", 0s, drop / "archive/done", drop / ".errors", 1 << 20});
  EXPECT_EQ(watched.prepare().error().code, "F107");
  EXPECT_TRUE(fs::is_empty(elsewhere));
  file::Inbox outside({drop, "*", 0s, elsewhere / "of/its/own", drop / "../refused", 1 << 20});
  const auto prepared = outside.prepare();
  EXPECT_TRUE(prepared) << prepared.error().text();
  EXPECT_TRUE(fs::is_directory(elsewhere / "of/its/own"));
  EXPECT_TRUE(fs::is_directory(folder.path / "refused"));
}

TEST_F(Inbox, ClosesTheFolderOfClaimedFilesToOthers) {
  fs::create_directory(drop / ".claimed");
  fs::permissions(drop / ".claimed", fs::perms::all);
  ASSERT_TRUE(inbox(0s).prepare());
  EXPECT_EQ(fs::status(drop / ".claimed").permissions(), fs::perms::owner_all);
}

TEST_F(Inbox, SaysWhenTheDropIsAwayAndGoesOnWhenItIsBack) {
  file::Inbox watched = inbox(0s);
  ASSERT_TRUE(watched.prepare());
  fs::rename(drop, folder.path / "away");
  EXPECT_EQ(watched.look(start).error().code, "F102");
  fs::create_directory(drop);
  put("a.hl7", "one");
  file::WaitingFile file = only(watched.look(start));
  EXPECT_TRUE(watched.claim(file).value());
}

}  // namespace

}  // namespace cannula::test
