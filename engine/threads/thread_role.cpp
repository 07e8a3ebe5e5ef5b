#include "engine/threads/thread_role.h"

#include <cstdint>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cannula {
namespace {

constexpr int kYielding = 10;  // nice
// Nanoseconds; Linux has about three milliseconds. A thread that wakes and asks for less has its
// turn before others have ended theirs (sched_setattr(2), EEVDF). The shortest that Linux takes is
// a tenth of this: then such threads interrupt each other, and the work takes longer.
constexpr std::uint64_t kShortTurn = 1'000'000;
constexpr std::uint64_t kLongTurn = 20'000'000;

// As of linux/sched/types.h; the C library has no wrapper before 2.41.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

// Of the calling thread alone, on Linux.
int niceness() {
  return ::getpriority(PRIO_PROCESS, 0);
}

void be_nicer(int by) {
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, niceness() + by));
}

void take_turns(std::uint32_t policy, std::uint64_t nanoseconds) {
  SchedulingAttributes attributes;
  attributes.policy = policy;
  attributes.nice = niceness();
  attributes.runtime = nanoseconds;
  static_cast<void>(::syscall(SYS_sched_setattr, 0, &attributes, 0u));
}

}  // namespace

void begin_thread(const std::string& name, ThreadRole role) {
  ::pthread_setname_np(::pthread_self(), name.c_str());
  switch (role) {
    case ThreadRole::answering:
      return take_turns(SCHED_OTHER, kShortTurn);
    case ThreadRole::working:
      return;
    case ThreadRole::following:
      return take_turns(SCHED_BATCH, kLongTurn);
    case ThreadRole::yielding:
      return be_nicer(kYielding);
  }
}

}  // namespace cannula
