#include "engine/pipeline/script_state.h"

#include <gtest/gtest.h>

namespace cannula::pipeline {
namespace {

using Writes = std::vector<store::StateWrite>;

const Writes kOne = {{"a", "1"}};
const Writes kTwo = {{"a", "2"}};
const Writes kGone = {{"a", std::nullopt}};

TEST(ScriptState, AWriteIsSeenBeforeItIsOnDisk) {
  ScriptState state;
  bool seen = false;
  state.write(kOne, [&] { seen = state.get("a") == "1"; });
  EXPECT_TRUE(seen);
  state.committed(kOne);
  EXPECT_EQ(state.get("a"), "1");
  EXPECT_EQ(state.get("b"), std::nullopt);
}

TEST(ScriptState, WhatReachedTheDiskLastIsWhatStays) {
  ScriptState state;
  state.write(kOne, [] {});  // the disk refuses this one, and it is offered again
  state.write(kTwo, [] {});
  state.committed(kTwo);
  EXPECT_EQ(state.get("a"), "2");
  state.committed(kOne);
  EXPECT_EQ(state.get("a"), "1") << "a restart would read what the journal says last";
}

TEST(ScriptState, AnEarlierWriteThatArrivesDoesNotHideALaterOneOnItsWay) {
  ScriptState state;
  state.write(kOne, [] {});
  state.write(kTwo, [] {});
  state.committed(kOne);
  EXPECT_EQ(state.get("a"), "2");
  state.committed(kTwo);
  EXPECT_EQ(state.get("a"), "2");
}

TEST(ScriptState, WhatIsDroppedOnItsWayIsAsTheJournalHasIt) {
  ScriptState state;
  state.restore(kOne);
  state.write(kTwo, [] {});
  EXPECT_EQ(state.get("a"), "2");
  state.dropped(kTwo);
  EXPECT_EQ(state.get("a"), "1");
  state.write(kGone, [] {});
  state.write(kTwo, [] {});
  state.committed(kGone);
  state.dropped(kTwo);
  EXPECT_EQ(state.get("a"), std::nullopt);
}

TEST(ScriptState, WhatIsRemovedIsGoneAndCanComeAgain) {
  ScriptState state;
  state.restore(kOne);
  state.write(kGone, [] {});
  EXPECT_EQ(state.get("a"), std::nullopt);
  state.write(kTwo, [] {});
  state.committed(kGone);
  EXPECT_EQ(state.get("a"), "2");
  state.committed(kTwo);
  state.write(kGone, [] {});
  state.committed(kGone);
  EXPECT_EQ(state.get("a"), std::nullopt);
}

TEST(ScriptState, AKeyWrittenTwiceInOneOutcomeEndsAsItWasWrittenLast) {
  ScriptState state;
  const Writes both = {{"a", "1"}, {"a", "2"}};
  state.write(both, [] {});
  state.committed(both);
  EXPECT_EQ(state.get("a"), "2");
}

}  // namespace
}  // namespace cannula::pipeline
