#include "engine/script/run.h"

#include "engine/script/lua_runtime.h"
#include "engine/script/time_text.h"
#include "engine/script/values.h"

namespace cannula::script {

namespace {

class LuaRun final : public Run {
 public:
  LuaRun(LuaRuntime& runtime, std::uint64_t serial, Input input)
      : runtime_(runtime),
        session_(serial, std::move(input), runtime.host().now(), runtime.host().resources()) {}
  LuaRun(const LuaRun&) = delete;
  LuaRun& operator=(const LuaRun&) = delete;
  ~LuaRun() override { give_up(); }

  Step resume(std::chrono::microseconds slice) override;
  Conclusion conclusion() override { return std::move(conclusion_); }

 private:
  enum class State { fresh, suspended, finished };

  void prepare();
  void conclude(int status);
  void fail(Failure failure, bool hit_limit);
  void note_findings();
  void finish(bool well);
  void give_up();

  LuaRuntime& runtime_;
  Session session_;
  LuaRuntime::Thread thread_;
  int arguments_ = 0;
  State state_ = State::fresh;
  Conclusion conclusion_;
};

void LuaRun::prepare() {
  if (runtime_.closed()) {
    return fail({"L226", "the script's state was closed after a limit: load the script again"},
                true);
  }
  if (session_.input.response && !runtime_.has_response_handler()) {
    return fail({"L226", "the script does not define on_response"}, false);
  }
  thread_ = runtime_.prepare(session_, &arguments_);
  if (thread_.state == nullptr) {
    fail({"L202", "the script's memory does not suffice to begin a message"}, true);
  }
}

Run::Step LuaRun::resume(std::chrono::microseconds slice) {
  if (state_ == State::fresh) prepare();
  if (state_ == State::finished) return Step::finished;
  runtime_.set_session(&session_);
  const int status =
      runtime_.machine().resume(thread_.state, state_ == State::fresh ? arguments_ : 0,
                                session_.usage, std::max(slice, std::chrono::microseconds(1)));
  runtime_.set_session(nullptr);
  if (status == LUA_YIELD) {
    state_ = State::suspended;
    return Step::suspended;
  }
  conclude(status);
  return Step::finished;
}

void LuaRun::conclude(int status) {
  Machine& machine = runtime_.machine();
  const Machine::Stop stop = machine.stopped();
  if (stop > Machine::Stop::ended || (status != LUA_OK && stop == Machine::Stop::none)) {
    const Failure failure = describe_failure(machine, thread_.state);
    return fail(failure, stop != Machine::Stop::none);
  }
  conclusion_.kind = session_.end;
  conclusion_.reason = std::move(session_.end_reason);
  conclusion_.until_mapped = session_.until_mapped;
  if (session_.end != Conclusion::Kind::parked) conclusion_.reply = std::move(session_.reply);
  if (session_.end == Conclusion::Kind::finished) {
    for (auto& [key, value] : session_.state_writes) {
      conclusion_.state_writes.push_back({key, std::move(value)});
    }
  }
  finish(status == LUA_OK);
}

void LuaRun::fail(Failure failure, bool hit_limit) {
  conclusion_.kind = Conclusion::Kind::failed;
  conclusion_.code = std::move(failure.code);
  conclusion_.reason = std::move(failure.text);
  conclusion_.hit_limit = hit_limit;
  finish(false);
}

// What was odd about the character sets of the messages that were read.
void LuaRun::note_findings() {
  for (const MessageBox& box : session_.messages) {
    for (const Diagnostic& finding : box.findings()) {
      session_.trace += "{\"at\":\"" + iso_time(session_.now) + "\",\"level\":\"";
      session_.trace += finding.severity == Severity::note ? "info" : "warn";
      session_.trace += "\",\"text\":";
      append_json_string(session_.trace,
                         finding.message + ": " + finding.hint + " [" + finding.code + "]");
      session_.trace += "}\n";
    }
  }
  for (const DocumentBox& box : session_.documents) {
    for (const Diagnostic& finding : box.findings()) {
      session_.trace += "{\"at\":\"" + iso_time(session_.now) + "\",\"level\":\"warn\",\"text\":";
      append_json_string(session_.trace, finding.message + " [" + finding.code + "]");
      session_.trace += "}\n";
    }
  }
}

void LuaRun::finish(bool well) {
  note_findings();
  conclusion_.sends = std::move(session_.sends);
  if (conclusion_.kind != Conclusion::Kind::finished) {
    std::erase_if(conclusion_.sends, [](const Send& send) { return !send.always; });
  }
  conclusion_.trace = std::move(session_.trace);
  conclusion_.misses = std::move(session_.misses);
  if (well) {
    runtime_.recycle(std::exchange(thread_, {}));
  }
  give_up();
  state_ = State::finished;
}

// Of a thread that did not end by itself, the pending __close are not run: the script is over.
void LuaRun::give_up() {
  if (state_ == State::finished) return;
  runtime_.drop(std::exchange(thread_, {}));
  runtime_.machine().clear_stop();
  session_.messages.clear();
  session_.verdicts.clear();
  session_.documents.clear();
  runtime_.give_back(std::move(session_.made));
  runtime_.machine().memory().refund(std::exchange(session_.charged, 0));
}

}  // namespace

std::unique_ptr<Run> make_run(LuaRuntime& runtime, std::uint64_t serial, Input input) {
  return std::make_unique<LuaRun>(runtime, serial, std::move(input));
}

}  // namespace cannula::script
