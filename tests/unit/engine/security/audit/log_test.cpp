#include "engine/security/audit/log.h"

#include <future>

#include "tests/unit/engine/security/audit/trail_fixture.h"

namespace cannula::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class LogTest : public TrailFixture {};

TEST_F(LogTest, TheChainGoesAcrossRunsAndFiles) {
  Options small = options();
  small.file_size = 2000;
  for (int run = 0; run < 3; ++run) {
    Log log(small);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(log.append(shown("M")));
  }
  EXPECT_GT(files().size(), 3u);
  EXPECT_EQ(verdict().entries, 30u);
  EXPECT_TRUE(verdict().sound());
}

TEST_F(LogTest, AFileThatIsGoneIsMissed) {
  Options small = options();
  small.file_size = 2000;
  {
    Log log(small);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(log.append(shown("M")));
  }
  std::filesystem::remove(files().at(1));
  EXPECT_THAT(places(verdict()), testing::ElementsAre("A103@1"));
}

TEST_F(LogTest, AnEntryHalfWrittenIsCutOffAndTheTrailGoesOn) {
  write(3);
  std::ofstream(files().at(0), std::ios::app) << "{\"seq\":4,\"at\":\"20";
  EXPECT_THAT(places(verdict()), testing::ElementsAre("A108@4"));
  EXPECT_TRUE(verdict().sound());
  write(2);
  EXPECT_TRUE(places(verdict()).empty());
  EXPECT_EQ(verdict().entries, 5u);
}

TEST_F(LogTest, WhatIsNotedIsWrittenSoonAndInOrderWithWhatPeopleDo) {
  {
    Log log(options());
    log.note({.act = "engine.start"});
    ASSERT_TRUE(log.append(shown("M1")));
    log.note({.act = "engine.stop"});
  }
  ASSERT_EQ(lines().size(), 3u);
  EXPECT_THAT(lines()[0], HasSubstr("engine.start"));
  EXPECT_THAT(lines()[2], HasSubstr("engine.stop"));
}

TEST_F(LogTest, AFloodOfRefusalsIsCounted) {
  {
    Log log(options());
    for (int i = 0; i < 5000; ++i) {
      log.note_refusal({.actor = {.kind = Actor::Kind::partner, .address = "192.0.2.7:5000"},
                        .act = "connection.refused",
                        .object = {.channel = "lab"},
                        .code = "P101",
                        .reason = "192.0.2.7:5000 is not allowed"});
    }
  }
  EXPECT_THAT(lines().back(), testing::Not(HasSubstr("192.0.2.7"))) << "there were many";
  EXPECT_EQ(lines().size(), Flood::kOneByOne + 1);
  EXPECT_THAT(lines().back(), HasSubstr("\"more_of_these\":\"4940\""));
  EXPECT_TRUE(verdict().sound());
}

// Who puts an older copy of the journal in its place is found out by these.
TEST_F(LogTest, TheJournalsEndIsEnteredWhenItHasMovedAndTheTimeHasCome) {
  JournalEnd end{"S", 10};  // read under the log's lock, by append() and by its own thread
  std::mutex moving;
  Options every_time = options();
  every_time.journal_every = 0;
  every_time.journal = [&] {
    const std::scoped_lock lock(moving);
    return end;
  };
  Log log(every_time);
  ASSERT_TRUE(log.append(shown("M1")));
  EXPECT_THAT(lines(), SizeIs(1)) << "its start is entered by who opens the log";
  {
    const std::scoped_lock lock(moving);
    end.end = 20;
  }
  ASSERT_TRUE(log.append(shown("M2")));
  ASSERT_TRUE(log.append(shown("M3")));
  ASSERT_THAT(lines(), SizeIs(4));
  EXPECT_THAT(lines().at(1), HasSubstr("journal.stands"));
  const auto told = last_journal_end(directory(), store::FileSystem::real());
  ASSERT_TRUE(told && *told);
  EXPECT_EQ(**told, (JournalEnd{"S", 20}));
}

TEST_F(LogTest, TheJournalsEndIsEnteredInEachNewFile) {
  std::atomic<std::uint64_t> end{10};
  Options small = options();
  small.file_size = 1;  // each write begins one
  small.journal = [&] { return JournalEnd{"S", end}; };
  Log log(small);
  ASSERT_TRUE(log.append(shown("M1")));
  end = 20;
  ASSERT_TRUE(log.append(shown("M2")));
  ASSERT_THAT(files(), SizeIs(3));
  EXPECT_THAT(lines(1), ElementsAre(HasSubstr("journal.stands")));
  EXPECT_THAT(lines(2), ElementsAre(HasSubstr("M2")));
}

// Each as who can write the files does it, and has no key.
class CutTrail : public TrailFixture {
 protected:
  static constexpr const char* kKey = "a key";
  static constexpr const char* kNoSeal =
      "0000000000000000000000000000000000000000000000000000000000000000";

  void cut_to(std::size_t count) const {
    auto all = lines();
    all.resize(count);
    put(all);
  }
  void remember(std::uint64_t sequence, const std::string& key_id) const {
    std::ofstream(head_file(directory()), std::ios::trunc)
        << R"({"seq":)" << sequence << R"(,"mac":")" << link_of(lines().back())->mac
        << R"(","key":")" << key_id << R"(","seal":")" << kNoSeal << "\"}\n";
  }
  std::string last_entry() const { return lines(files().size() - 1).back(); }
  std::vector<std::string> after_a_restart() {
    Options again = options(kKey);
    again.report = [this](bool trouble, const std::string& text) {
      if (trouble) said_ += text;
    };
    Log(again).close();
    return places(verdict(kKey));
  }
  std::string said_;
};

TEST_F(CutTrail, AHeadOfAKeyThatTheTrailDoesNotEndWithIsNotBelieved) {
  write(10, kKey);
  cut_to(2);
  remember(2, "deadbeef");
  EXPECT_THAT(after_a_restart(), ElementsAre("A113@3"));
  EXPECT_FALSE(verdict(kKey).sound());
  EXPECT_THAT(said_, HasSubstr("A113"));
}

TEST_F(CutTrail, NorAPlainOneBehindEntriesWithAKey) {
  write(10, kKey);
  cut_to(2);
  std::ofstream(head_file(directory())) << head_text({2, link_of(lines()[1])->mac}, Sealer());
  EXPECT_THAT(after_a_restart(), ElementsAre("A113@3"));
}

TEST_F(CutTrail, AHeadThatIsGoneStaysAnErrorWhenTheTrailGoesOn) {
  write(10, kKey);
  cut_to(2);
  std::filesystem::remove(head_file(directory()));
  EXPECT_THAT(after_a_restart(), ElementsAre("A113@3"));
  EXPECT_FALSE(verdict(kKey).sound());
}

TEST_F(CutTrail, AHeadWithoutATrailIsNotPassedOver) {
  write(10, kKey);
  remember(10, "deadbeef");
  std::filesystem::remove_all(directory());
  Options again = options(kKey);
  again.has_records = [] { return true; };
  { Log(again).close(); }
  EXPECT_FALSE(verdict(kKey).sound());
  EXPECT_THAT(last_entry(), HasSubstr("A113"));
}

TEST_F(CutTrail, NoTrailWhereTheStoreHasRecordsIsAnError) {
  write(10, kKey);
  std::filesystem::remove_all(directory());
  std::filesystem::remove(head_file(directory()));
  for (const bool has_records : {false, true}) {
    Options again = options(kKey);
    again.has_records = [&] { return has_records; };
    { Log(again).close(); }
    EXPECT_EQ(verdict(kKey).sound(), !has_records);
  }
  EXPECT_THAT(last_entry(), HasSubstr("there was no trail"));
}

TEST_F(CutTrail, AFileThatIsTakenAwayWhileItIsWrittenIsMissedAtOnce) {
  for (const bool all : {true, false}) {
    std::filesystem::remove_all(root_);
    said_.clear();
    Options watched = options(kKey);
    watched.report = [this](bool trouble, const std::string& text) {
      if (trouble) said_ += text;
    };
    Log log(watched);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(log.append(shown("before")));
    if (all) {
      std::filesystem::remove_all(directory());
      std::filesystem::remove(head_file(directory()));
    } else {  // as `sed -i` does
      std::filesystem::copy_file(files().at(0), root_ / "copy");
      std::filesystem::rename(root_ / "copy", files().at(0));
    }
    ASSERT_TRUE(log.append(shown("after")));
    EXPECT_THAT(said_, HasSubstr("A113"));
    EXPECT_THAT(last_entry(), HasSubstr("after")) << "where everybody sees it";
    const Verdict found = verdict(kKey);
    EXPECT_FALSE(found.sound());
    if (all) {
      EXPECT_THAT(places(found), ElementsAre("A103@1", "A113@1"));
    } else {
      EXPECT_THAT(places(found), ElementsAre("A113@1"));
    }
  }
}

TEST_F(CutTrail, ALogThatHasNothingToWriteMissesItsFileToo) {
  Options watched = options(kKey);
  std::promise<void> missed;
  watched.report = [&](bool trouble, const std::string&) {
    if (trouble) missed.set_value();
  };
  Log log(watched);
  ASSERT_TRUE(log.append(shown("before")));
  std::filesystem::remove_all(directory());
  EXPECT_EQ(missed.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
}

TEST_F(CutTrail, VerifyMissesATrailThatIsNotThere) {
  write(3, kKey);
  std::filesystem::remove_all(directory());
  std::filesystem::remove(head_file(directory()));
  for (const bool has_records : {false, true}) {
    const auto found =
        verify({.directory = directory(), .key = kKey, .has_records = [&] { return has_records; }});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->sound(), !has_records);
  }
}

TEST_F(CutTrail, ATrailWrittenAnewWithoutTheKeyIsAnError) {
  write(10, kKey);
  std::filesystem::remove_all(root_);
  write(5);
  EXPECT_THAT(after_a_restart(), ElementsAre("A109@1"));
  EXPECT_FALSE(verdict(kKey).sound());
}

TEST_F(CutTrail, AKeyThatIsChangedDamagesNothing) {
  write(3);
  write(3, "the old key", 4);
  const Head anchor = verdict("the old key").head;
  write(3, kKey, 7);
  for (const std::string& line : lines()) EXPECT_EQ(line.find(kDamaged), line.npos);
  EXPECT_TRUE(verdict(kKey, {anchor}, {"the old key"}).sound());
}

TEST_F(LogTest, AClosedLogRefuses) {
  Log log(options());
  log.close();
  EXPECT_EQ(log.append(shown("M")).error().code, "A101");
}

TEST_F(LogTest, ATextThatIsNotUtf8IsReplaced) {
  {
    Log log(options());
    Entry entry = shown("M");
    entry.reason = "caf\xE9 " + std::string(10'000, 'x');
    ASSERT_TRUE(log.append(entry));
  }
  EXPECT_TRUE(verdict().sound());
  EXPECT_LT(lines()[0].size(), 3000u);
}

}  // namespace
}  // namespace cannula::audit
