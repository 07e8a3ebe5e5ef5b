#include "channels/transport/places.h"

#include <list>

#include <gtest/gtest.h>

namespace cannula {
namespace {

using namespace std::chrono_literals;

class FakeHolder final : public Places::Holder {
 public:
  FakeHolder(Places& places, const std::string& address, std::optional<std::chrono::seconds> since)
      : since_(since), place(places, address, *this) {}
  std::optional<Places::Clock::time_point> waiting_since() const override {
    if (!since_) return std::nullopt;
    return Places::Clock::time_point(*since_);
  }
  void evict() override { evicted = true; }

 private:
  std::optional<std::chrono::seconds> since_;

 public:
  bool evicted = false;
  Places::Place place;
};

TEST(Places, TakesThePlaceOfWhoeverHasWaitedLongest) {
  Places places;
  FakeHolder later(places, "10.0.0.1", 2s), first(places, "10.0.0.1", 1s),
      works(places, "10.0.0.1", std::nullopt);
  EXPECT_EQ(places.make_room("10.0.0.2", {4, 0}).room, Places::Room::free);
  const auto verdict = places.make_room("10.0.0.2", {3, 0});
  EXPECT_EQ(verdict.room, Places::Room::made);
  EXPECT_EQ(verdict.taken, 3u);
  EXPECT_FALSE(verdict.of_one_address);
  EXPECT_TRUE(first.evicted);
  EXPECT_FALSE(first.place.held());
  EXPECT_FALSE(later.evicted || works.evicted);
  EXPECT_EQ(places.make_room("10.0.0.2", {3, 0}).room, Places::Room::free);
}

TEST(Places, RefusesWhereAllAreAtWork) {
  Places places;
  FakeHolder works(places, "10.0.0.1", std::nullopt);
  EXPECT_EQ(places.make_room("10.0.0.2", {1, 0}).room, Places::Room::none);
}

TEST(Places, OfAnAddressThatHasTooManyOneOfItsOwnGoes) {
  Places places;
  FakeHolder other(places, "10.0.0.1", 1s), same(places, "10.0.0.2", 2s);
  const auto verdict = places.make_room("10.0.0.2", {9, 1});
  EXPECT_EQ(verdict.room, Places::Room::made);
  EXPECT_TRUE(verdict.of_one_address);
  EXPECT_EQ(verdict.taken, 1u);
  EXPECT_TRUE(same.evicted);
  EXPECT_FALSE(other.evicted);
}

// As where the disk hangs and what had come of their messages cannot be kept.
TEST(Places, RefusesWhereThoseWhosePlaceWasTakenDoNotGo) {
  Places places;
  std::list<FakeHolder> holders;
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(places.make_room("10.0.0.1", {2, 0}).room, Places::Room::none) << i;
    holders.emplace_back(places, "10.0.0.1", std::chrono::seconds(i));
  }
  EXPECT_EQ(places.make_room("10.0.0.1", {2, 0}).room, Places::Room::none);
  holders.pop_front();
  EXPECT_EQ(places.make_room("10.0.0.1", {2, 0}).room, Places::Room::made);
}

}  // namespace
}  // namespace cannula
