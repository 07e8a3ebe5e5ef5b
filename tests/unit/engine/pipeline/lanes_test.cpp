#include "engine/pipeline/lanes.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace cannula::pipeline {
namespace {

using IntLanes = Lanes<int>;

int take(IntLanes& lanes, IntLanes::Entry*& entry) {
  entry = lanes.next();
  return entry ? entry->item : -1;
}

TEST(Lanes, ItemsOfDifferentKeysAreOutAtOnce) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {20});
  IntLanes::Entry *a, *b;
  EXPECT_EQ(take(lanes, a), 1);
  EXPECT_EQ(take(lanes, b), 2);
}

TEST(Lanes, TheSecondOfAKeyWaitsForTheFirst) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {10});
  IntLanes::Entry *a, *b;
  EXPECT_EQ(take(lanes, a), 1);
  EXPECT_EQ(take(lanes, b), -1);
  lanes.release(a);
  EXPECT_EQ(take(lanes, b), 2);
}

TEST(Lanes, AMergeWaitsForBothPatientsAndBothWaitForIt) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {20});
  lanes.add(3, {20, 10});
  lanes.add(4, {10});
  lanes.add(5, {20});
  IntLanes::Entry *a, *b, *merge, *after;
  EXPECT_EQ(take(lanes, a), 1);
  EXPECT_EQ(take(lanes, b), 2);
  EXPECT_EQ(take(lanes, merge), -1);
  lanes.release(a);
  EXPECT_EQ(take(lanes, merge), -1);
  lanes.release(b);
  EXPECT_EQ(take(lanes, merge), 3);
  EXPECT_EQ(take(lanes, after), -1);
  lanes.release(merge);
  EXPECT_EQ(take(lanes, after), 4);
  EXPECT_EQ(take(lanes, after), 5);
}

TEST(Lanes, WhatIsPutBackKeepsItsPlace) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {10});
  IntLanes::Entry* entry;
  take(lanes, entry);
  lanes.put_back(entry);
  EXPECT_EQ(take(lanes, entry), 1);
}

TEST(Lanes, AHeldKeyWaitsAndOthersPass) {
  IntLanes lanes;
  lanes.hold({10});
  lanes.add(1, {10});
  lanes.add(2, {20});
  IntLanes::Entry* entry;
  EXPECT_EQ(take(lanes, entry), 2);
  EXPECT_EQ(take(lanes, entry), -1);
  lanes.unhold({10});
  EXPECT_EQ(take(lanes, entry), 1);
}

TEST(Lanes, AHoldSetWhileAnItemIsReadyStillHoldsIt) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.hold({10});
  IntLanes::Entry* entry;
  EXPECT_EQ(take(lanes, entry), -1);
  lanes.unhold({10});
  EXPECT_EQ(take(lanes, entry), 1);
}

TEST(Lanes, WhatWaitsBehindHoldsIsCounted) {
  IntLanes lanes;
  lanes.add(1, {10});
  IntLanes::Entry* first = lanes.next();
  lanes.add(2, {10});
  lanes.add(3, {10, 20});
  lanes.add(4, {30});
  EXPECT_EQ(lanes.held_back(), 0u);
  lanes.hold({10});
  lanes.release(first);
  EXPECT_EQ(lanes.held_back(), 2u);
  EXPECT_EQ(lanes.keys_held_back(), 1u);
  lanes.hold({10});
  lanes.hold({20});
  EXPECT_EQ(lanes.held_back(), 2u) << "each is counted once";
  EXPECT_EQ(lanes.keys_held_back(), 2u);
  EXPECT_EQ(lanes.held_back_of({10}), 2u);
  EXPECT_EQ(lanes.held_back_of({20}), 1u);
  EXPECT_EQ(lanes.held_back_of({30}), 0u);
  lanes.add_first(5, {10});
  EXPECT_EQ(lanes.held_back(), 2u) << "what a person sent again does not wait";
  EXPECT_EQ(lanes.remove_if([](int item) { return item == 2; }), 1u);
  EXPECT_EQ(lanes.held_back(), 1u);
  lanes.unhold({10});
  lanes.unhold({10});
  EXPECT_EQ(lanes.held_back(), 1u) << "one still waits behind the other key";
  EXPECT_EQ(lanes.keys_held_back(), 1u);
  lanes.unhold({20});
  EXPECT_EQ(lanes.held_back(), 0u);
  EXPECT_EQ(lanes.keys_held_back(), 0u);
}

TEST(Lanes, WhatAPersonPutsBackGoesFirstAndPassesTheHold) {
  IntLanes lanes;
  lanes.hold({10});
  lanes.add(2, {10});
  lanes.add_first(1, {10});
  IntLanes::Entry* entry;
  EXPECT_EQ(take(lanes, entry), 1);
  lanes.release(entry);
  EXPECT_EQ(take(lanes, entry), -1);
  lanes.unhold({10});
  EXPECT_EQ(take(lanes, entry), 2);
}

TEST(Lanes, OfSeveralThatGoFirstTheOneThatWasAddedFirstGoesFirst) {
  Lanes<int> lanes;
  lanes.add(1, {7});
  lanes.add_first(2, {7});
  lanes.add_first(3, {7});
  for (const int wanted : {2, 3, 1}) {
    auto* entry = lanes.next();
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->item, wanted);
    lanes.release(entry);
  }
}

TEST(Lanes, UrgentItemsGoBeforeOthersButNotBeforeEarlierOnesOfTheirKey) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {20});
  lanes.add(3, {30}, true);
  lanes.add(4, {20}, true);
  IntLanes::Entry *three, *two, *one, *none;
  EXPECT_EQ(take(lanes, three), 3);
  EXPECT_EQ(take(lanes, two), 2) << "it stands before an urgent one and is urgent with it";
  EXPECT_EQ(take(lanes, one), 1);
  EXPECT_EQ(take(lanes, none), -1);
  lanes.release(two);
  EXPECT_EQ(take(lanes, none), 4);
}

TEST(Lanes, UrgencyReachesThroughAMergeToTheOtherKey) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {10, 20});
  lanes.add(3, {20}, true);
  IntLanes::Entry* entry;
  for (int expected : {1, 2, 3}) {
    entry = lanes.next(true);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->item, expected);
    lanes.release(entry);
  }
}

TEST(Lanes, RoutineItemsStayWhereOnlyUrgentOnesMayGo) {
  IntLanes lanes;
  lanes.add(1, {10});
  EXPECT_EQ(lanes.next(true), nullptr);
  EXPECT_TRUE(lanes.has_ready());
  EXPECT_FALSE(lanes.has_ready(true));
}

TEST(Lanes, OfAllThatMayGoTheOneOfTheLeastRankIsFound) {
  const auto rank = [](int item) { return item % 10; };
  IntLanes lanes;
  lanes.add(13, {10});
  lanes.add(11, {10});  // stands behind the first
  lanes.add(22, {20});
  lanes.add(32, {30});
  lanes.add(40, {40});
  lanes.hold({40});
  lanes.add(59, {50}, true);
  lanes.add(68, {60}, true);
  for (const int expected : {68, 59, 22, 32, 13, 11}) {  // the urgent ones before all others
    IntLanes::Entry* entry = lanes.next_by(rank);
    ASSERT_TRUE(entry) << expected;
    EXPECT_EQ(entry->item, expected);
    lanes.release(entry);
  }
  EXPECT_EQ(lanes.next_by(rank), nullptr) << "its key is held";
  lanes.unhold({40});
  EXPECT_EQ(lanes.next_by(rank, true), nullptr) << "it is not urgent";
  EXPECT_EQ(lanes.next_by(rank)->item, 40);
}

TEST(Lanes, RemovedItemsLetTheNextOneGo) {
  IntLanes lanes;
  lanes.add(1, {10});
  lanes.add(2, {10});
  lanes.add(3, {10});
  EXPECT_EQ(lanes.remove_if([](int item) { return item < 3; }), 2u);
  IntLanes::Entry* entry;
  EXPECT_EQ(take(lanes, entry), 3);
}

// The counts that are kept as things change are what a count of everything would give.
TEST(Lanes, TheCountOfWhatIsHeldBackIsRightUnderRandomUse) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::minstd_rand random(seed);
    IntLanes lanes;
    std::map<int, store::OrderKeys> waiting;  // neither out nor past the holds
    std::map<int, IntLanes::Entry*> out;
    std::set<int> passing;
    std::map<std::uint64_t, int> holds;
    for (int step = 0; step < 500; ++step) {
      const unsigned act = random() % 6;
      if (act < 2) {
        std::set<std::uint64_t> chosen;
        for (unsigned k = random() % 3; k > 0; --k) chosen.insert(random() % 5);
        const store::OrderKeys keys(chosen.begin(), chosen.end());
        if (random() % 8 == 0) {
          passing.insert(step);
          lanes.add_first(step, keys);
        } else {
          waiting[step] = keys;
          lanes.add(step, keys, random() % 5 == 0);
        }
      } else if (act == 2) {
        if (auto* entry = lanes.next()) {
          out[entry->item] = entry;
          waiting.erase(entry->item);
        }
      } else if (act == 3 && !out.empty()) {
        auto [item, entry] = *out.begin();
        out.erase(out.begin());
        if (random() % 3 == 0) {
          if (!passing.contains(item)) waiting[item] = entry->keys();
          lanes.put_back(entry);
        } else {
          lanes.release(entry);
        }
      } else if (act == 4) {
        const std::uint64_t key = random() % 5;
        ++holds[key];
        lanes.hold({key});
      } else if (act == 5) {
        const std::uint64_t key = random() % 5;
        if (holds[key] > 0) --holds[key];
        lanes.unhold({key});
      }
      std::size_t items = 0;
      std::set<std::uint64_t> keys;
      for (const auto& [item, own] : waiting) {
        bool held = false;
        for (const std::uint64_t key : own) {
          if (holds[key] == 0) continue;
          held = true;
          keys.insert(key);
        }
        items += held ? 1 : 0;
      }
      ASSERT_EQ(lanes.held_back(), items) << "seed " << seed << ", step " << step;
      ASSERT_EQ(lanes.keys_held_back(), keys.size()) << "seed " << seed << ", step " << step;
    }
  }
}

// Whatever is added, put back and finished in whatever order: never two of a key at once, and each
// key in order.
TEST(Lanes, OrderHoldsUnderRandomUse) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::minstd_rand random(seed);
    IntLanes lanes;
    std::vector<IntLanes::Entry*> out;
    std::map<std::uint64_t, int> last_finished;
    int added = 0, finished = 0;
    while (finished < 500) {
      const unsigned act = random() % 4;
      if (act == 0 && added < 500) {
        store::OrderKeys keys;
        for (unsigned k = random() % 3; k > 0; --k) keys.push_back(random() % 6);
        lanes.add(added++, keys, random() % 5 == 0);
      } else if (act == 1) {
        if (auto* entry = lanes.next()) {
          for (const auto* other : out) {
            for (auto key : other->keys()) {
              EXPECT_EQ(std::count(entry->keys().begin(), entry->keys().end(), key), 0);
            }
          }
          out.push_back(entry);
        }
      } else if (!out.empty()) {
        const std::size_t i = random() % out.size();
        IntLanes::Entry* entry = out[i];
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
        if (act == 2) {
          lanes.put_back(entry);
          continue;
        }
        for (auto key : entry->keys()) {
          auto [last, first_of_key] = last_finished.try_emplace(key, -1);
          EXPECT_LT(last->second, entry->item);
          last->second = entry->item;
        }
        lanes.release(entry);
        ++finished;
      }
    }
    EXPECT_TRUE(lanes.empty());
  }
}

}  // namespace
}  // namespace cannula::pipeline
