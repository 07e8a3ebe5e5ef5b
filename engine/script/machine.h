// A Lua state with its limits: memory in its allocator, time by a tick and the count hook, and the
// way a message's run is suspended, goes on, or is stopped for good. Knows nothing of messages.
//
// Time. A tick (ticker.h) arms Lua's count hook once the slice is over, and the next instruction
// looks at the clock; so it does at once after megabytes were allocated. Until then there is no
// hook, which would cost every instruction. Functions of ours that loop call work(). Slices are
// measured by the wall clock, limits by the thread's CPU time, so that a busy machine does not fail
// a message.
//
// Stopping. A limit, or the script's own skip(), park() and reject(), sets a Stop and throws a mark
// that our pcall, xpcall and coroutine functions never catch; and while it is set the hook throws
// it again at every instruction, so that nothing goes on in between.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/script/lua_api.h"
#include "engine/script/memory.h"
#include "engine/script/runtime.h"
#include "engine/script/ticker.h"

namespace cannula::script {

class LuaRuntime;

class Machine final : StateMemory::Observer, Ticker::Listener {
 public:
  enum class Stop { none, ended, time, unyielding, pattern, memory };

  // Throws std::bad_alloc when the limits leave no room for a state.
  Machine(const Limits& limits, MemoryPool& pool, LuaRuntime* runtime);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine();

  static Machine& of(lua_State* L) { return **static_cast<Machine**>(lua_getextraspace(L)); }
  LuaRuntime& runtime() { return *runtime_; }
  lua_State* state() { return state_; }
  StateMemory& memory() { return memory_; }
  const StateMemory& memory() const { return memory_; }
  const Limits& limits() const { return limits_; }

  // Lua time of one message so far.
  struct Usage {
    std::chrono::nanoseconds time{0};
  };

  // Resumes `thread`, the outermost of a run, for about `slice`. Gives Lua's status: LUA_YIELD
  // means suspended. `slice` zero: it is never suspended (the top level of a script).
  int resume(lua_State* thread, int arguments, Usage& usage, std::chrono::microseconds slice);
  // Resumes a coroutine of the script's own from `from`. When the slice ended inside it, gives
  // LUA_YIELD with `sliced` set: the caller must yield too, and resume it again afterwards.
  int resume_inner(lua_State* from, lua_State* coroutine, int arguments, int* results,
                   bool* sliced);
  // Closes a coroutine of the script's own: runs its pending __close.
  int close_inner(lua_State* from, lua_State* coroutine);
  // Suspended by the hook and not by itself: only the run it belongs to may resume it.
  bool is_sliced(lua_State* coroutine) const;
  void forget_sliced(lua_State* coroutine);
  // The run of `thread` is given up.
  void forget_run(lua_State* thread);
  bool is_outermost(lua_State* thread) const { return thread == outermost_; }
  bool may_yield(lua_State* L) const { return unyielding_resumes_ == 0 && lua_isyieldable(L) != 0; }

  // For loops in C: `units` of a few nanoseconds each were done. Throws when a limit was hit.
  void work(lua_State* L, std::size_t units) {
    work_ += units;
    if (work_ >= kWorkBetweenLooks) look_from_c(L);
  }
  // Charges memory that our own objects hold for the script; throws at the limit.
  void charge(lua_State* L, std::size_t bytes);

  [[noreturn]] void stop(lua_State* L, Stop why, std::string text);
  [[noreturn]] void throw_stop(lua_State* L);
  Stop stopped() const { return stop_; }
  // Why, with the traceback at that moment.
  const std::string& stop_text() const { return stop_text_; }
  // The run that was stopped is over.
  void clear_stop() { stop_ = Stop::none; }
  // A run hit a limit: what the script keeps between messages may be half done.
  bool closed() const { return closed_; }
  // Called with the status of each protected call: out of memory is a limit too.
  void note_status(lua_State* L, int status);

 private:
  static constexpr int kInstructionsBetweenLooks = 1000;  // where there are no ticks
  static constexpr std::size_t kWorkBetweenLooks = 20'000;
  static constexpr int kCloseDepth =
      100;  // nested closes use the C stack and Lua does not count them
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kBetweenLooks = std::chrono::milliseconds(5);

  static void hook(lua_State* L, lua_Debug* activation);
  static int panic(lua_State* L);
  void heavy_allocation() override { look_at_next_instruction(); }
  void tick() noexcept override;
  void look_at_next_instruction() noexcept;
  void look_when_due(Clock::time_point now) noexcept;
  // How long a script has for itself after a look that was dear.
  Clock::duration spared() const noexcept;
  // From one look to the next when the slice is over and the script still runs: where it cannot be
  // suspended, or the hook did not come. Longer where a look is dear.
  Clock::duration between_looks() const noexcept;
  // Calls `call`, which resumes `coroutine`; gives its status.
  template <class Call>
  int run_as(lua_State* coroutine, const Call& call);
  void look_from_c(lua_State* L);
  // Throw when the limit is reached.
  void check_budget(lua_State* L, Clock::time_point now);
  void check_stretch(lua_State* L, Clock::time_point now);
  void count_cpu_from_start(Clock::time_point now);
  void arm(lua_State* L);
  std::chrono::nanoseconds time_used() const;

  const Limits limits_;
  StateMemory memory_;
  LuaRuntime* runtime_;
  lua_State* state_ = nullptr;

  // The slice under way.
  lua_State* outermost_ = nullptr;
  std::atomic<lua_State*> running_{nullptr};  // and read by the handler of ticks
  Usage* usage_ = nullptr;
  bool never_suspend_ = false;
  Clock::time_point slice_start_;
  Clock::time_point slice_end_;
  std::atomic<Clock::time_point> next_look_{Clock::time_point()};  // at the first tick after it
  std::atomic<Clock::duration> look_cost_{Clock::duration(0)};     // what setting the hook took
  std::atomic<bool> due_{false};  // a tick set the hook, which has not come yet
  bool ticks_ = false;
  Clock::time_point budget_look_;   // before this moment the time limit cannot be reached
  Clock::time_point stretch_look_;  // and before this one the unyielding limit
  std::chrono::nanoseconds cpu_start_{
      -1};  // the thread's CPU time when the slice began; -1 before the first look
  int unyielding_resumes_ = 0;
  int close_depth_ = 0;
  bool yielded_by_hook_ = false;
  std::size_t work_ = 0;

  struct Sliced {
    lua_State* coroutine;
    lua_State* outermost;
  };
  std::vector<Sliced> sliced_;

  Stop stop_ = Stop::none;
  std::string stop_text_;
  bool closed_ = false;
};

// "\n  file:line: in function 'name'" for each call under way in `L`, innermost first, without
// allocating in Lua.
std::string traceback(lua_State* L);

}  // namespace cannula::script
