#include "engine/threads/thread_role.h"

#include <array>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cannula {
namespace {

struct Seen {
  std::string name;
  int nice = 0;
  int policy = SCHED_OTHER;
  std::uint64_t turn = 0;  // nanoseconds; 0 where the system does not tell
};

Seen seen_of(ThreadRole role) {
  Seen seen;
  std::thread([&] {
    begin_thread("a thread", role);
    std::array<char, 16> name{};
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    seen.name = name.data();
    seen.nice = ::getpriority(PRIO_PROCESS, 0);
    seen.policy = ::sched_getscheduler(0);
    std::array<std::uint64_t, 7> attributes{};  // of sched_getattr(2): the fourth is the runtime
    if (::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0u) == 0) {
      seen.turn = attributes[3];
    }
  }).join();
  return seen;
}

TEST(ThreadRoleTest, a_thread_has_its_name) {
  EXPECT_EQ(seen_of(ThreadRole::working).name, "a thread");
}

TEST(ThreadRoleTest, who_yields_is_nicer_than_others_and_they_stay_as_they_are) {
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(seen_of(ThreadRole::yielding).nice, std::min(mine + 10, 19));
  EXPECT_EQ(seen_of(ThreadRole::following).nice, mine);
  EXPECT_EQ(seen_of(ThreadRole::answering).nice, mine);
  EXPECT_EQ(seen_of(ThreadRole::working).nice, mine);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), mine);
}

TEST(ThreadRoleTest, who_answers_has_short_turns_where_the_system_knows_them) {
  const std::uint64_t usual = seen_of(ThreadRole::working).turn;
  if (usual == 0) GTEST_SKIP() << "this Linux has no turns of a thread's own";
  EXPECT_LE(seen_of(ThreadRole::answering).turn, usual);
  EXPECT_GT(seen_of(ThreadRole::following).turn, usual);
}

TEST(ThreadRoleTest, who_follows_interrupts_nobody) {
  EXPECT_EQ(seen_of(ThreadRole::following).policy, SCHED_BATCH);
  EXPECT_EQ(seen_of(ThreadRole::answering).policy, SCHED_OTHER);
}

}  // namespace
}  // namespace cannula
