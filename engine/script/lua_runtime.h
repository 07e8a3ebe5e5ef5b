// The Runtime: a Machine with a loaded script, the threads its runs use, and the run that is on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/script/key_cache.h"
#include "engine/script/machine.h"
#include "engine/script/runtime.h"
#include "engine/script/session.h"
#include "parsers/text/time_zone.h"

namespace cannula::script {

class ElementCache;
class UnitCache;

class LuaRuntime final : public Runtime {
 public:
  LuaRuntime(std::shared_ptr<const Program> program, const Limits& limits, Host& host,
             MemoryPool& pool);
  ~LuaRuntime() override;

  static LuaRuntime& of(lua_State* L) { return Machine::of(L).runtime(); }

  // Opens the sandbox and runs the script's top level; the findings when that fails.
  std::vector<Diagnostic> start();

  std::unique_ptr<Run> begin(Input input) override;
  const std::vector<Diagnostic>& warnings() const override { return warnings_; }
  bool has_response_handler() const override { return response_handler_ != LUA_NOREF; }
  bool closed() const override { return machine_.closed(); }
  std::size_t memory_used() const override { return machine_.memory().used(); }

  Machine& machine() { return machine_; }
  const Program& program() const { return *program_; }
  Host& host() { return host_; }
  KeyCache& keys() { return keys_; }
  // What the channel's configuration says of its source.
  std::optional<CharacterSet> charset() const { return charset_; }
  ElementCache& elements() { return *elements_; }
  UnitCache& units() { return *units_; }
  const TimeZone& timezone() const { return timezone_; }  // the channel's; UTC when it names none
  bool frozen() const { return frozen_; }

  // The message under way. Throws while none is: at the top level of a script.
  Session& session();
  bool has_session() const { return session_ != nullptr; }
  void set_session(Session* session) { session_ = session; }

  // A thread for a run, and where it is kept from the collector.
  struct Thread {
    lua_State* state = nullptr;
    int reference = LUA_NOREF;
  };
  // A thread with the handler and its arguments on its stack; throws nothing, null when the memory
  // does not suffice.
  Thread prepare(Session& session, int* arguments);
  void recycle(Thread thread);  // it ended well and can be used again
  void drop(Thread thread);

  // What the documents of a run's own making stand in, handed on from run to run for its room.
  std::unique_ptr<DocumentBox> take_spare_documents();
  void give_back(std::unique_ptr<DocumentBox> box);

 private:
  std::vector<Diagnostic> run_top_level();
  static int open_state(lua_State* L);
  static int find_handlers(lua_State* L);
  static int push_call(lua_State* L);

  const std::shared_ptr<const Program> program_;
  Host& host_;
  Machine machine_;
  KeyCache keys_;
  const std::unique_ptr<ElementCache> elements_;
  const std::unique_ptr<UnitCache> units_;
  TimeZone timezone_ = TimeZone::utc();
  std::optional<CharacterSet> charset_;
  Session* session_ = nullptr;
  std::uint64_t last_serial_ = 0;
  bool frozen_ = false;
  std::vector<Diagnostic> warnings_;
  int main_ = LUA_NOREF;
  int response_handler_ = LUA_NOREF;
  std::vector<Thread> spare_threads_;
  std::vector<std::unique_ptr<DocumentBox>> spare_documents_;
};

// Why a thread failed, in words, without running anything of the script.
struct Failure {
  std::string code;  // "L200" when the error carries none
  std::string text;  // with the traceback
};
Failure describe_failure(Machine& machine, lua_State* thread);

}  // namespace cannula::script
