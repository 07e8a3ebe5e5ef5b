// Every kind of tampering is found, and at its place.
#include "engine/security/audit/verify.h"

#include "tests/unit/engine/security/audit/trail_fixture.h"

namespace cannula::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Verify : public TrailFixture {};

TEST_F(Verify, ATrailAsItWasWrittenIsSound) {
  write(10);
  const Verdict found = verdict();
  EXPECT_THAT(places(found), IsEmpty());
  EXPECT_EQ(found.entries, 10u);
  EXPECT_EQ(found.head.sequence, 10u);
}

TEST_F(Verify, NoTrailIsSound) {
  EXPECT_TRUE(verdict().sound());
}

TEST_F(Verify, AChangedEntryIsNamed) {
  write(10);
  auto all = lines();
  all[3].replace(all[3].find("anna"), 4, "bert");
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A102@4"));
  EXPECT_THAT(verdict().findings[0].message, HasSubstr("entry 4"));
}

TEST_F(Verify, AnEntrySealedAnewIsFoundByTheOneThatFollows) {
  write(10);
  auto all = lines();
  all[3] = sealed_anew(all[3], "anna", "bert");
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A102@5"));
  EXPECT_THAT(verdict().findings[0].message, HasSubstr("entry 5 does not continue entry 4"));
}

TEST_F(Verify, TheLastEntrySealedAnewIsFoundByTheHead) {
  write(10);
  auto all = lines();
  all[9] = sealed_anew(all[9], "anna", "bert");
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A102@10"));
}

TEST_F(Verify, ALineThatIsNoEntryAnyMoreIsNamed) {
  write(10);
  auto all = lines();
  all[5] = "nothing to see here";
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A102@6"));
}

TEST_F(Verify, RemovedEntriesAreNumbered) {
  write(10);
  auto all = lines();
  all.erase(all.begin() + 4, all.begin() + 7);
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A103@5"));
  EXPECT_THAT(verdict().findings[0].message, HasSubstr("entries 5 to 7"));
}

TEST_F(Verify, TheFirstEntriesRemovedAreMissed) {
  write(10);
  auto all = lines();
  all.erase(all.begin());
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A103@1"));
}

TEST_F(Verify, AFileUnderAnotherNameIsNamed) {
  write(10);
  std::filesystem::rename(files().at(0), directory() / "000000000002.log");
  EXPECT_THAT(places(verdict()), ElementsAre("A105@1"));
  EXPECT_THAT(verdict().findings[0].message, HasSubstr("renamed"));
}

TEST_F(Verify, ACopyPutInIsNamed) {
  write(10);
  auto all = lines();
  all.insert(all.begin() + 6, all[2]);
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A104@7"));
}

TEST_F(Verify, AnInventedEntryThatContinuesTheOneBeforeIsNamed) {
  write(10);
  auto all = lines();
  all.insert(all.begin() + 4, sealed_anew(all[4], "anna", "bert"));
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A104@5"));
}

TEST_F(Verify, EntriesThatWereSwappedAreNamed) {
  write(10);
  auto all = lines();
  std::swap(all[5], all[6]);
  put(all);
  const auto found = places(verdict());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0], testing::AnyOf("A105@6", "A105@7"));
}

TEST_F(Verify, OnlyTheEntryThatWasMovedIsNamed) {
  write(10);
  auto all = lines();
  std::rotate(all.begin() + 2, all.begin() + 3, all.end());
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A105@10"));
}

TEST_F(Verify, ATailThatWasCutOffIsMissed) {
  write(10);
  auto all = lines();
  all.resize(7);
  put(all);
  EXPECT_THAT(places(verdict()), ElementsAre("A106@7"));
  EXPECT_THAT(verdict().findings[0].message, HasSubstr("3 entries are missing"));
}

TEST_F(Verify, ATrailThatIsGoneIsMissed) {
  write(10);
  std::filesystem::remove_all(directory());
  EXPECT_THAT(places(verdict()), ElementsAre("A106"));
}

TEST_F(Verify, AHeadThatIsGoneIsMissed) {
  write(10);
  std::filesystem::remove(head_file(directory()));
  EXPECT_THAT(places(verdict()), ElementsAre("A106"));
}

TEST_F(Verify, ACutTailStaysVisibleWhenTheTrailGoesOn) {
  write(10);
  auto all = lines();
  all.resize(7);
  put(all);
  write(3);
  EXPECT_THAT(places(verdict()), ElementsAre("A103@1", "A113@1"));
  EXPECT_THAT(verdict().findings[0].message, HasSubstr("entries 8 to 10"));
  EXPECT_THAT(lines(1)[0], HasSubstr("audit.damaged"));
}

TEST_F(Verify, AChangedLastEntryStaysVisibleWhenTheTrailGoesOn) {
  write(10);
  auto all = lines();
  all[9] = "gone";
  put(all);
  write(3);
  EXPECT_THAT(places(verdict()), ElementsAre("A102@10", "A113@1"));
}

TEST_F(Verify, AnAnchorFindsAWholeTrailWrittenAnew) {
  write(10);
  const Head noted = verdict().head;
  std::filesystem::remove_all(root_);
  write(10);
  EXPECT_TRUE(verdict().sound());
  EXPECT_THAT(places(verdict({}, {noted})), ElementsAre("A102@10"));
  EXPECT_THAT(places(verdict({}, {Head{.sequence = 12, .mac = noted.mac}})),
              ElementsAre("A106@10"));
}

TEST_F(Verify, WithAKeyNothingCanBeSealedAnew) {
  write(10, "a key");
  EXPECT_TRUE(verdict("a key").sound());
  auto all = lines();
  all[3] = sealed_anew(all[3], "anna", "bert");
  put(all);
  EXPECT_THAT(places(verdict("a key")), testing::Contains("A102@4"));
}

TEST_F(Verify, AnEntryWithoutTheKeyAmongOthersIsNamed) {
  write(10, "a key");
  auto all = lines();
  std::string forged(link_of(all[9])->sealed);
  forged.erase(forged.find(",\"key\":"), 17);
  all[9] = forged + ",\"mac\":\"" + sha256(forged) + "\"}";
  put(all);
  EXPECT_THAT(places(verdict("a key")), testing::Contains("A102@10"));
}

TEST_F(Verify, AfterAChangeOfTheKeyTheOldOneIsAskedFor) {
  write(3);
  write(3, "the old key", 4);
  write(3, "the new key", 7);
  const Verdict without = verdict("the new key");
  EXPECT_THAT(places(without), ElementsAre("A107@4", "A109@1"));
  EXPECT_THAT(places(verdict("the new key", {}, {"the old key"})), ElementsAre("A109@1"));
  EXPECT_FALSE(verdict("the new key", {}, {"the old key"}).sound());
}

TEST_F(Verify, AnAnchorStandsForWhatIsUpToIt) {
  write(3);
  const Head in_time = verdict().head;
  write(1, {}, 4);
  const Head last = verdict().head;
  write(3, "a key", 5);
  EXPECT_THAT(places(verdict("a key", {in_time})), ElementsAre("A109@4"));
  EXPECT_FALSE(verdict("a key", {in_time}).sound());
  EXPECT_TRUE(verdict("a key", {last}).sound());
  EXPECT_TRUE(verdict("a key", {verdict("a key").head}).sound());
  EXPECT_FALSE(verdict("a key", {Head{.sequence = 4, .mac = in_time.mac}}).sound());
}

class Accepted : public Verify {
 protected:
  void accept(const Head& up_to, const std::string& key) const {
    Log log(options(key));
    ASSERT_TRUE(log.append({.actor = {.kind = Actor::Kind::person, .name = "anna", .uid = 1000},
                            .act = kAccept,
                            .reason = "the key was set today",
                            .detail = {{"up_to", anchor_text(up_to)}}}));
  }
};

TEST_F(Accepted, WhatAPersonStandsForIsNoErrorAnyMore) {
  write(3);
  write(3, "a key", 4);
  EXPECT_FALSE(verdict("a key").sound());
  accept(verdict("a key").head, "a key");
  EXPECT_TRUE(verdict("a key").sound());
  EXPECT_THAT(places(verdict("a key")), ElementsAre("A109"));
  std::filesystem::remove(head_file(directory()));
  write(1, "a key", 7);
  EXPECT_FALSE(verdict("a key").sound()) << "what comes later is another matter";
  accept(verdict("a key").head, "a key");
  EXPECT_TRUE(verdict("a key").sound());
}

TEST_F(Accepted, WhatIsMissingStaysAnError) {
  write(10);
  auto all = lines();
  all.resize(7);
  put(all);
  write(3);
  accept(verdict().head, {});
  EXPECT_THAT(places(verdict()), ElementsAre("A103@1", "A113@1"));
  EXPECT_FALSE(verdict().sound());
}

TEST_F(Accepted, NobodyStandsForItWithoutTheKey) {
  write(3);
  accept(verdict().head, {});
  write(3, "a key", 4);
  EXPECT_THAT(places(verdict("a key")), ElementsAre("A109@1"));
  EXPECT_FALSE(verdict("a key").sound());
}

TEST_F(Accepted, AnotherTrailIsNotAccepted) {
  write(3);
  write(3, "a key", 4);
  accept({.sequence = 5, .mac = std::string(64, 'a')}, "a key");
  EXPECT_FALSE(verdict("a key").sound());
}

TEST_F(Verify, AHeadWrittenByAStrangerIsNotBelieved) {
  write(10, "a key");
  auto all = lines();
  all.resize(7);
  put(all);
  std::ofstream(head_file(directory())) << head_text({7, link_of(all[6])->mac}, Sealer());
  EXPECT_THAT(places(verdict("a key")), ElementsAre("A106"));
}

}  // namespace
}  // namespace cannula::audit
