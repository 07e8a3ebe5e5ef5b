#include "engine/script/machine.h"

#include <ctime>
#include <new>
#include <random>

namespace cannula::script {

namespace {

std::chrono::nanoseconds thread_cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Lua looks up "__gc" and "__mode" by strings of its own that it makes once for each state. A
// finalizer runs without hooks, and weak keys make one step of the collector take time quadratic in
// their number; setmetatable refuses both, but `__mode` may be added to a metatable afterwards. So
// Lua's own two strings get other, random letters: nothing that a script writes is ever them. Their
// hash and length stay as they are, so the string table stays sound; and a script that guessed the
// letters would make a string of another hash, which is another string.
void withdraw_metamethod(lua_State* L, const char* name) {
  std::random_device random;
  lua_pushstring(L, name);
  char* text = const_cast<char*>(lua_tostring(L, -1));
  for (char* letter = text; *letter != 0; ++letter) {
    *letter = static_cast<char>(1 + random() % 255);
  }
  lua_pop(L, 1);
}

int withdraw_metamethods(lua_State* L) {
  // Makes the metatable by which luaL_Buffer frees its memory, while "__gc" is still "__gc".
  luaL_Buffer buffer;
  luaL_buffinitsize(L, &buffer, 2 * LUAL_BUFFERSIZE);
  luaL_pushresultsize(&buffer, 0);
  withdraw_metamethod(L, "__gc");
  withdraw_metamethod(L, "__mode");
  return 0;
}

template <class T>
class Restore {
 public:
  explicit Restore(T& variable) : variable_(variable), value_(variable) {}
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  ~Restore() { variable_ = value_; }

 private:
  T& variable_;
  const T value_;
};

// The thread that runs, which the handler of ticks reads.
class RestoreRunning {
 public:
  RestoreRunning(std::atomic<lua_State*>& running, lua_State* now)
      : running_(running), before_(running.exchange(now, std::memory_order_relaxed)) {}
  RestoreRunning(const RestoreRunning&) = delete;
  RestoreRunning& operator=(const RestoreRunning&) = delete;
  ~RestoreRunning() { running_.store(before_, std::memory_order_relaxed); }

 private:
  std::atomic<lua_State*>& running_;
  lua_State* const before_;
};

}  // namespace

Machine::Machine(const Limits& limits, MemoryPool& pool, LuaRuntime* runtime)
    : limits_(limits), memory_(limits.memory, pool, *this), runtime_(runtime) {
  state_ = lua_newstate(&StateMemory::allocate, &memory_);
  if (state_ == nullptr) throw std::bad_alloc();
  *static_cast<Machine**>(lua_getextraspace(state_)) = this;
  lua_atpanic(state_, &Machine::panic);
  lua_pushcfunction(state_, &withdraw_metamethods);
  if (lua_pcall(state_, 0, 0, 0) != LUA_OK) {
    lua_close(state_);
    throw std::bad_alloc();
  }
}

Machine::~Machine() {
  // Nothing of the script runs any more: there are no finalizers, and suspended threads are
  // dropped.
  lua_close(state_);
}

int Machine::panic(lua_State*) {
  // Reached only when Lua is called outside of a protected call, which is a bug of ours.
  throw std::logic_error("a Lua error outside of a protected call");
}

void Machine::look_at_next_instruction() noexcept {
  lua_State* const running = running_.load(std::memory_order_relaxed);
  if (running == nullptr) return;
  // All calls under way know of it already: a script that closes 100,000 variables over 100,000
  // calls while it is stopped would have them walked each time.
  if (lua_gethook(running) != nullptr && lua_gethookcount(running) == 1) return;
  lua_sethook(running, &Machine::hook, LUA_MASKCOUNT, 1);
}

// lua_sethook is the one function of Lua that a signal handler may call. It walks all calls under
// way, and the 200,000 of a deep recursion take it longer than a tick: so the script has some times
// as long for itself before the next walk, or it would never come on.
void Machine::look_when_due(Clock::time_point now) noexcept {
  if (now < next_look_.load(std::memory_order_relaxed)) return;
  due_.store(true, std::memory_order_relaxed);
  look_at_next_instruction();
  const auto after = Clock::now();
  look_cost_.store(after - now, std::memory_order_relaxed);
  next_look_.store(after + between_looks(), std::memory_order_relaxed);
}

// Bounded, because the cost is measured by a clock that goes on while the thread does not.
Machine::Clock::duration Machine::spared() const noexcept {
  constexpr int kTimesTheCost = 8;
  constexpr Clock::duration kAtMost = std::chrono::milliseconds(200);
  return std::min<Clock::duration>(kAtMost,
                                   kTimesTheCost * look_cost_.load(std::memory_order_relaxed));
}

Machine::Clock::duration Machine::between_looks() const noexcept {
  return std::max<Clock::duration>(kBetweenLooks, spared());
}

// Again and again while the slice is over, because the code that is interrupted here may just be
// about to take the hook off.
void Machine::tick() noexcept {
  look_when_due(Clock::now());
}

// A thread with a hook stops at every instruction to count it, so there is one only where it is
// due.
void Machine::arm(lua_State* L) {
  const int count = stop_ != Stop::none ? 1 : ticks_ ? 0 : kInstructionsBetweenLooks;
  if (count == 0) {
    if (lua_gethook(L) != nullptr) lua_sethook(L, nullptr, 0, 0);
  } else if (lua_gethook(L) == nullptr || lua_gethookcount(L) != count) {
    lua_sethook(L, &Machine::hook, LUA_MASKCOUNT, count);
  }
}

std::chrono::nanoseconds Machine::time_used() const {
  return usage_->time + (thread_cpu_time() - cpu_start_);
}

// The thread's CPU clock is a system call, which a message of few instructions never pays: what ran
// before the first look is taken from the wall clock.
void Machine::count_cpu_from_start(Clock::time_point now) {
  if (cpu_start_.count() < 0) cpu_start_ = thread_cpu_time() - (now - slice_start_);
}

void Machine::check_budget(lua_State* L, Clock::time_point now) {
  if (now < budget_look_) return;
  const auto used = time_used();
  if (used >= limits_.time) {
    stop(L, Stop::time,
         "the script ran for more than " + std::to_string(limits_.time.count()) +
             " ms on one message");
  }
  budget_look_ = now + (limits_.time - used);
}

void Machine::check_stretch(lua_State* L, Clock::time_point now) {
  if (now < stretch_look_ || never_suspend_) return;
  const auto allowed = (slice_end_ - slice_start_) + limits_.unyielding;
  const auto ran = thread_cpu_time() - cpu_start_;
  if (ran >= allowed) {
    stop(L, Stop::unyielding,
         "the script ran for more than " + std::to_string(limits_.unyielding.count()) +
             " ms where it cannot be suspended");
  }
  stretch_look_ = now + (allowed - ran);
}

void Machine::look_from_c(lua_State* L) {
  work_ = 0;
  if (stop_ != Stop::none) throw_stop(L);
  if (usage_ == nullptr) return;
  const auto now = Clock::now();
  count_cpu_from_start(now);
  check_budget(L, now);
  check_stretch(L, now);
  if (!never_suspend_) look_when_due(now);
}

void Machine::hook(lua_State* L, lua_Debug*) {
  Machine& machine = of(L);
  machine.arm(L);
  machine.due_.store(false, std::memory_order_relaxed);
  if (machine.stop_ != Stop::none) machine.throw_stop(L);
  if (machine.usage_ == nullptr) return;
  const auto now = Clock::now();
  machine.count_cpu_from_start(now);
  // The budget first: a script that is suspended in time may still have used it up.
  machine.check_budget(L, now);
  machine.next_look_.store(std::max(machine.slice_end_, now + machine.between_looks()),
                           std::memory_order_relaxed);
  if (!machine.may_yield(L)) return machine.check_stretch(L, now);
  if (!machine.never_suspend_ && now >= machine.slice_end_) {
    machine.yielded_by_hook_ = true;
    lua_yield(L, 0);
  }
}

int Machine::resume(lua_State* thread, int arguments, Usage& usage,
                    std::chrono::microseconds slice) {
  const Restore outermost(outermost_);
  const Restore used(usage_);
  outermost_ = thread;
  usage_ = &usage;
  never_suspend_ = slice.count() == 0;
  slice_start_ = Clock::now();
  slice_end_ = slice_start_ + slice;
  budget_look_ = slice_start_ + (limits_.time - usage.time);
  stretch_look_ = slice_end_ + limits_.unyielding;
  // A run that goes on has as many calls under way as before.
  if (usage.time.count() == 0) look_cost_.store(Clock::duration(0), std::memory_order_relaxed);
  next_look_.store(std::max(slice_end_, slice_start_ + spared()), std::memory_order_relaxed);
  due_.store(false, std::memory_order_relaxed);
  // Before there are ticks. Where there are none it stays: setting it anew for each slice walks all
  // calls under way.
  if (ticks_) lua_sethook(thread, nullptr, 0, 0);
  cpu_start_ = std::chrono::nanoseconds(-1);
  yielded_by_hook_ = false;
  forget_sliced(thread);

  int results = 0;
  int status = LUA_OK;
  {
    const RestoreRunning running(running_, thread);
    const Ticker ticker(*this);
    ticks_ = ticker.ticks();
    if (!ticks_) arm(thread);
    status = lua_resume(thread, state_, arguments, &results);
  }
  usage.time = cpu_start_.count() < 0 ? usage.time + (Clock::now() - slice_start_) : time_used();
  if (status == LUA_YIELD) sliced_.push_back({thread, thread});
  note_status(thread, status);
  return status;
}

template <class Call>
int Machine::run_as(lua_State* coroutine, const Call& call) {
  int status = LUA_OK;
  {
    const RestoreRunning running(running_, coroutine);
    arm(coroutine);
    // A hook that was set in the caller and has not come comes here, and the other way round.
    if (due_.load(std::memory_order_relaxed)) look_at_next_instruction();
    status = call();
  }
  if (due_.load(std::memory_order_relaxed)) look_at_next_instruction();
  return status;
}

int Machine::resume_inner(lua_State* from, lua_State* coroutine, int arguments, int* results,
                          bool* sliced) {
  const Restore resumes(unyielding_resumes_);
  if (lua_isyieldable(from) == 0) ++unyielding_resumes_;
  const int status =
      run_as(coroutine, [&] { return lua_resume(coroutine, from, arguments, results); });
  *sliced = status == LUA_YIELD && yielded_by_hook_;
  if (*sliced) {
    sliced_.push_back({coroutine, outermost_});
  } else {
    note_status(coroutine, status);
  }
  return status;
}

int Machine::close_inner(lua_State*, lua_State* coroutine) {
  if (close_depth_ >= kCloseDepth) {
    throw ScriptError("L208", "more than 100 coroutines close each other in their __close");
  }
  const Restore depth(close_depth_);
  ++close_depth_;
  const Restore resumes(unyielding_resumes_);
  ++unyielding_resumes_;
  const int status = run_as(coroutine, [&] { return lua_resetthread(coroutine); });
  note_status(coroutine, status);
  return status;
}

bool Machine::is_sliced(lua_State* coroutine) const {
  return std::any_of(sliced_.begin(), sliced_.end(),
                     [&](const Sliced& sliced) { return sliced.coroutine == coroutine; });
}

void Machine::forget_sliced(lua_State* coroutine) {
  std::erase_if(sliced_, [&](const Sliced& sliced) { return sliced.coroutine == coroutine; });
}

void Machine::forget_run(lua_State* thread) {
  std::erase_if(sliced_, [&](const Sliced& sliced) { return sliced.outermost == thread; });
}

void Machine::charge(lua_State* L, std::size_t bytes) {
  if (memory_.charge(bytes)) return;
  stop(L, Stop::memory,
       "the script holds more than " + std::to_string(limits_.memory >> 10) + " KB of memory");
}

void Machine::note_status(lua_State* L, int status) {
  if (status != LUA_ERRMEM || stop_ != Stop::none) return;
  stop_ = Stop::memory;
  closed_ = true;
  stop_text_ = "the script needs more than " + std::to_string(limits_.memory >> 10) +
               " KB of memory, or a table of more than 16,384 keys" + traceback(L);
}

void Machine::stop(lua_State* L, Stop why, std::string text) {
  if (stop_ == Stop::none) {
    stop_ = why;
    stop_text_ = std::move(text);
    if (why != Stop::ended) {
      closed_ = true;
      stop_text_ += traceback(L);
    }
  }
  throw_stop(L);
}

void Machine::throw_stop(lua_State* L) {
  look_at_next_instruction();  // and at every one from then on
  lua_pushlightuserdata(L, this);
  lua_error(L);
  __builtin_unreachable();
}

std::string traceback(lua_State* L) {
  constexpr int kFrames = 20;
  std::string text;
  lua_Debug frame{};
  for (int level = 0; level < kFrames && lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Sln", &frame);
    if (frame.currentline < 0 || *frame.short_src == '(') continue;  // ours
    text += "\n  ";
    text += frame.short_src;
    text += ":" + std::to_string(frame.currentline);
    if (frame.name != nullptr) {
      text +=
          std::string(": in ") + frame.namewhat + (*frame.namewhat ? " '" : "'") + frame.name + "'";
    } else if (std::string_view(frame.what) == "main") {
      text += ": at the top level";
    } else {
      text += ": in the function of line " + std::to_string(frame.linedefined);
    }
  }
  return text;
}

}  // namespace cannula::script
