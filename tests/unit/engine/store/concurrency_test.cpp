// Many threads at once; meaningful under the thread sanitizer.
#include <latch>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

class StoreConcurrencyTest : public StoreFixture {
 protected:
  Options options() const override {
    Options options = StoreFixture::options();
    options.segment_size = 100'000;
    return options;
  }
};

TEST_F(StoreConcurrencyTest, submitters_readers_and_questions_do_not_disturb_each_other) {
  constexpr int kThreads = 6;
  constexpr int kEach = 60;
  const auto store = open();
  std::atomic<bool> stop{false};
  std::jthread asking([&] {
    while (!stop) {
      EXPECT_TRUE(store->counts());
      EXPECT_TRUE(store->messages({.channel = "lab", .newest_first = true, .limit = 5}));
      EXPECT_TRUE(store->waiting_messages("lab", 0, 5));
      store->catch_up();
    }
  });
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        MessageId last;
        for (int i = 0; i < kEach; ++i) {
          const auto taken = commit(
              *store, {accepted("lab", std::string(500, static_cast<char>('a' + thread)))})[0];
          EXPECT_GT(taken.id, last);
          last = taken.id;
          const auto record = store->read(taken.position);
          ASSERT_TRUE(record) << record.error().text();
          EXPECT_EQ(std::get<Accepted>(*record).body->front(), 'a' + thread);
          commit(*store, {outcome(taken.id, "lab", MessageState::queued, {"ehr"}),
                          attempt(taken.id, "lab", 1, "ehr", DeliveryState::delivered)});
        }
      });
    }
  }
  stop = true;
  asking.join();
  store->catch_up();
  const auto counts = value(store->counts());
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts[0].state, "done");
  EXPECT_EQ(counts[0].count, static_cast<std::uint64_t>(kThreads * kEach));
  store->close();
  EXPECT_EQ(render(value(check(directory(), nullptr, keys())).damage), "");
}

TEST_F(StoreConcurrencyTest, completions_come_in_the_order_of_submission) {
  constexpr int kCount = 500;
  const auto store = open();
  std::vector<int> order;
  std::latch done(kCount);
  for (int i = 0; i < kCount; ++i) {
    store->submit({accepted("lab")}, [&, i](Result<std::vector<Committed>> result) {
      EXPECT_TRUE(result);
      order.push_back(i);  // always on the journal's thread
      done.count_down();
    });
  }
  done.wait();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(StoreConcurrencyTest, says_when_there_is_no_room_and_calls_when_there_is) {
  Options small = options();
  small.pending_limit = 10'000;
  small.keys = nullptr;  // so that nothing is made smaller
  const auto store = open(small);
  std::latch held(1);
  std::latch blocked(1);
  store->submit({accepted("lab")}, [&](auto) {
    blocked.count_down();
    held.wait();  // keeps the journal's thread from writing the next batch
  });
  blocked.wait();
  EXPECT_TRUE(store->has_room());
  for (int i = 0; i < 5; ++i) store->submit({accepted("lab", std::string(4000, 'x'))}, [](auto) {});
  EXPECT_FALSE(store->has_room());
  std::latch resumed(1);
  store->when_room([&] { resumed.count_down(); });
  EXPECT_FALSE(resumed.try_wait());
  held.count_down();
  resumed.wait();
  EXPECT_TRUE(store->has_room());
  std::latch at_once(1);
  store->when_room([&] { at_once.count_down(); });
  EXPECT_TRUE(at_once.try_wait());
}

TEST_F(StoreConcurrencyTest, close_brings_everything_submitted_to_disk_and_index) {
  std::atomic<int> stored{0};
  {
    const auto store = open();
    for (int i = 0; i < 200; ++i) {
      store->submit({accepted("lab")}, [&](const auto& result) { stored += result.has_value(); });
    }
    store->close();
    EXPECT_EQ(stored, 200);
  }
  const auto store = open();
  EXPECT_EQ(store->recovery().records_replayed, 0u);
  EXPECT_EQ(value(store->messages({.limit = 1000})).size(), 200u);
}

}  // namespace
}  // namespace cannula::store
