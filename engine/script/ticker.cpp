#include "engine/script/ticker.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <unistd.h>

namespace cannula::script {

namespace {

constexpr long kTick = 2'000'000;  // nanoseconds
// Ignored by whoever does not handle it, so one that comes late does no harm.
constexpr int kSignal = SIGURG;

// What the handler sees of its thread. Plain values: nothing here is made on first use, which a
// handler could not do.
struct Ticking {
  std::atomic<Ticker::Listener*> listener{nullptr};
  std::atomic<bool> running{false};
  std::atomic<bool> used{false};  // since the last tick
  std::atomic<bool> made{false};  // the timer; a signal may come when it is gone
  timer_t timer{};
};
constinit thread_local Ticking ticking;

void set_timer(long nanoseconds) {
  const itimerspec period{{0, nanoseconds}, {0, nanoseconds}};
  ::timer_settime(ticking.timer, 0, &period, nullptr);
}

void handle(int, siginfo_t* signal, void*) {
  if (signal->si_code != SI_TIMER || signal->si_value.sival_ptr != &ticking) return;
  if (!ticking.made.load(std::memory_order_relaxed)) return;
  const int saved = errno;
  if (Ticker::Listener* const listener = ticking.listener.load(std::memory_order_relaxed)) {
    listener->tick();
  } else if (!ticking.used.exchange(false, std::memory_order_relaxed)) {
    set_timer(0);
    ticking.running.store(false, std::memory_order_relaxed);
  }
  errno = saved;
}

bool install_handler() {
  struct sigaction action {};
  action.sa_sigaction = &handle;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  return ::sigaction(kSignal, &action, nullptr) == 0;
}

// The timer of one thread.
class Timer {
 public:
  Timer() {
    static const bool installed = install_handler();
    if (!installed) return;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = kSignal;
    event.sigev_value.sival_ptr = &ticking;
    event._sigev_un._tid = ::gettid();  // glibc has no name for it
    ticking.made = ::timer_create(CLOCK_MONOTONIC, &event, &ticking.timer) == 0;
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    if (ticking.made.exchange(false)) ::timer_delete(ticking.timer);
  }
};

// The thread sanitizer hands signals over at the next system call, which a loop never makes.
#if defined(__SANITIZE_THREAD__)
constexpr bool kSignalsCome = false;
#else
constexpr bool kSignalsCome = true;
#endif

bool start() {
  if (!kSignalsCome) return false;
  thread_local const Timer timer;
  if (!ticking.made.load(std::memory_order_relaxed)) return false;
  ticking.used.store(true, std::memory_order_relaxed);
  if (!ticking.running.load(std::memory_order_relaxed)) {
    ticking.running.store(true, std::memory_order_relaxed);
    set_timer(kTick);
  }
  return true;
}

}  // namespace

Ticker::Ticker(Listener& listener)
    : before_(ticking.listener.exchange(&listener, std::memory_order_relaxed)), ticks_(start()) {}

Ticker::~Ticker() {
  ticking.listener.store(before_, std::memory_order_relaxed);
}

}  // namespace cannula::script
