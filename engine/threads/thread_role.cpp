#include "engine/threads/thread_role.h"

#include <cstdint>
#include <optional>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cannula {
namespace {

constexpr int kYielding = 10;  // nice
// Nanoseconds; Linux gives 0.7 to 3 ms by the number of processors. A thread that wakes and asks
// for less than others has its turn before they have ended theirs (sched_setattr(2), EEVDF). The
// shortest that Linux takes is a tenth of this: then such threads interrupt each other, and the
// work takes longer.
constexpr std::uint64_t kShortTurn = 1'000'000;
constexpr std::uint64_t kLongTurn = 5'000'000;

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

std::optional<SchedulingAttributes> present_attributes() {
  SchedulingAttributes present;
  if (::syscall(SYS_sched_getattr, 0, &present, sizeof present, 0u) != 0) return std::nullopt;
  return present;
}

// Who runs the engine may have chosen another policy for all of it: then that holds.
void take_turns(std::uint32_t policy, std::uint64_t nanoseconds) {
  auto attributes = present_attributes();
  if (!attributes || attributes->policy != SCHED_OTHER) return;
  attributes->size = sizeof *attributes;
  attributes->policy = policy;
  attributes->runtime = nanoseconds;
  static_cast<void>(::syscall(SYS_sched_setattr, 0, &*attributes, 0u));
}

// Not longer than it has them anyway.
void take_short_turns() {
  const auto present = present_attributes();
  const bool shorter = present && present->runtime != 0 && present->runtime < kShortTurn;
  if (!shorter) take_turns(SCHED_OTHER, kShortTurn);
}

}  // namespace

void begin_thread(const std::string& name, ThreadRole role) {
  ::pthread_setname_np(::pthread_self(), name.c_str());
  switch (role) {
    case ThreadRole::answering:
      return take_short_turns();
    case ThreadRole::working:
      return;
    case ThreadRole::following:
      return take_turns(SCHED_BATCH, kLongTurn);
    case ThreadRole::yielding:
      return be_nicer(kYielding);
  }
}

}  // namespace cannula
