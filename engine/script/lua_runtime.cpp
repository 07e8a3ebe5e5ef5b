#include "engine/script/lua_runtime.h"

#include "engine/script/document_objects.h"
#include "engine/script/exchange_objects.h"
#include "engine/script/fhir_builder.h"
#include "engine/script/fhir_library.h"
#include "engine/script/fhir_observations.h"
#include "engine/script/findings.h"
#include "engine/script/message_objects.h"
#include "engine/script/modules.h"
#include "engine/script/objects.h"
#include "engine/script/opaque.h"
#include "engine/script/run.h"
#include "engine/script/sandbox.h"

namespace cannula::script {

namespace {

constexpr std::size_t kSpareThreads = 16;
constexpr std::size_t kLongestError = 4096;  // bytes of a script's error text that are kept

const char* code_of(Machine::Stop stop) {
  switch (stop) {
    case Machine::Stop::time:
      return "L201";
    case Machine::Stop::memory:
      return "L202";
    case Machine::Stop::pattern:
      return "L209";
    case Machine::Stop::unyielding:
      return "L219";
    default:
      return "L200";
  }
}

std::string error_text(lua_State* thread) {
  switch (lua_type(thread, -1)) {
    case LUA_TSTRING:
      return std::string(view_at(thread, -1).substr(0, kLongestError));
    case LUA_TNUMBER:
      return lua_isinteger(thread, -1) != 0 ? std::to_string(lua_tointeger(thread, -1))
                                            : std::to_string(lua_tonumber(thread, -1));
    case LUA_TNIL:
    case LUA_TNONE:
      return "the script raised an error without a value: error(nil)";
    default:
      // What park(phi(…)) keeps too: the reason is shown with the message and stays out of the log.
      if (const Object* object = object_at(thread, -1); object && object->kind == Object::Kind::phi)
        return std::string(phi_text(thread, -1).substr(0, kLongestError));
      // Never its __tostring: nothing of the script runs any more.
      return std::string("the script raised an error that is a ") + luaL_typename(thread, -1) +
             ": error(\"text\") says more to those who read it";
  }
}

// "… [L203]" at the end of the text, or before a line that follows.
std::string code_in(std::string_view text) {
  for (std::size_t at = text.find("[L"); at != std::string_view::npos;
       at = text.find("[L", at + 1)) {
    const std::string_view code = text.substr(at + 1, 4);
    if (code.size() == 4 && text.substr(at + 5, 1) == "]" &&
        code.find_first_not_of("0123456789", 1) == std::string_view::npos) {
      return std::string(code);
    }
  }
  return "L200";
}

}  // namespace

Failure describe_failure(Machine& machine, lua_State* thread) {
  if (machine.stopped() != Machine::Stop::none) {
    return {code_of(machine.stopped()), machine.stop_text()};
  }
  std::string text = error_text(thread);
  return {code_in(text), text + traceback(thread)};
}

LuaRuntime::LuaRuntime(std::shared_ptr<const Program> program, const Limits& limits, Host& host,
                       MemoryPool& pool)
    : program_(std::move(program)),
      host_(host),
      machine_(limits, pool, this),
      elements_(std::make_unique<ElementCache>()),
      units_(std::make_unique<UnitCache>()) {}

LuaRuntime::~LuaRuntime() = default;

Session& LuaRuntime::session() {
  if (session_ != nullptr) return *session_;
  throw ScriptError("L225",
                    "this works only while a message is worked, inside main or on_response: "
                    "at the top level of a script there is no message yet");
}

int LuaRuntime::open_state(lua_State* L) {
  lua_settop(L, 0);
  open_document_values(L);
  open_sandbox(L);
  open_opaque(L);
  open_message_objects(L);
  open_response_object(L);
  open_document_objects(L);
  open_fhir_objects(L);
  return 0;
}

int LuaRuntime::find_handlers(lua_State* L) {
  LuaRuntime& runtime = of(L);
  if (push_global(L, "main") == LUA_TFUNCTION) {
    runtime.main_ = luaL_ref(L, LUA_REGISTRYINDEX);
  } else {
    lua_pop(L, 1);
  }
  if (push_global(L, "on_response") == LUA_TFUNCTION) {
    runtime.response_handler_ = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 0;
}

std::vector<Diagnostic> LuaRuntime::start() {
  lua_State* L = machine_.state();
  lua_pushcfunction(L, &guarded<open_state>);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    return {finding_without_place("L106", "the script's state cannot be made: " + error_text(L),
                                  "Raise the memory limit of the channel.")};
  }
  if (!program_->timezone.empty()) {
    auto zone = TimeZone::find(program_->timezone);
    if (!zone) {
      const Error& why = zone.error();
      return {finding_without_place(why.code, "the channel's timezone: " + why.message, why.hint)};
    }
    timezone_ = *std::move(zone);
  }
  if (!program_->charset.empty()) {
    const auto set = CharacterSet::find(program_->charset);
    if (!set) {
      const Error& why = set.error();
      return {finding_without_place(why.code, "the channel's charset: " + why.message, why.hint)};
    }
    charset_ = *set;
  }
  std::vector<Diagnostic> findings = run_top_level();
  if (!findings.empty()) return findings;
  lua_pushcfunction(L, &guarded<find_handlers>);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK || main_ == LUA_NOREF) {
    return {missing_main(program_->main)};
  }
  frozen_ = true;
  warnings_ = unknown_names(*program_, global_names(L));
  if (has_errors(warnings_)) return std::move(warnings_);
  return {};
}

namespace {
int compile_main(lua_State* L) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  lua_State* thread = lua_newthread(L);
  if (load_source(L, *runtime.program().main) != LUA_OK) return lua_error(L);
  lua_xmove(L, thread, 1);
  return 1;
}
}  // namespace

std::vector<Diagnostic> LuaRuntime::run_top_level() {
  lua_State* L = machine_.state();
  if (std::vector<Diagnostic> findings = check(*program_); has_errors(findings)) return findings;
  lua_pushcfunction(L, &guarded<compile_main>);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
    return {failed_top_level(*program_, {"L202", error_text(L)})};
  }
  lua_State* thread = lua_tothread(L, -1);
  Machine::Usage usage;
  const int status = machine_.resume(thread, 0, usage, std::chrono::microseconds(0));
  std::vector<Diagnostic> findings;
  if (status != LUA_OK)
    findings = {failed_top_level(*program_, describe_failure(machine_, thread))};
  lua_pop(L, 1);
  return findings;
}

std::unique_ptr<Run> LuaRuntime::begin(Input input) {
  return make_run(*this, ++last_serial_, std::move(input));
}

namespace {
// HL7 v2 as a Message; JSON as a Document; anything else as an empty Document.
void push_received(lua_State* L, Session& session) {
  const Input& input = session.input;
  const Bytes body = input.body ? input.body : make_bytes("");
  if (input.parsed || hl7v2::find_msh(*body) || hl7v2::is_utf16(*body)) {
    session.messages.emplace_back(body, input.parsed, MessageBox::From::source,
                                  LuaRuntime::of(L).charset());
    return push_message(L, session, session.messages.back());
  }
  push_document(L, session,
                session.documents.emplace_back(body, DocumentBox::From::source,
                                               Machine::of(L).limits().memory));
}

struct Call {
  Session* session;
  LuaRuntime::Thread* thread;
  int arguments;
};
}  // namespace

// The thread with the handler and its arguments, made by a protected call: each push may fail.
int LuaRuntime::push_call(lua_State* L) {
  auto& call = *static_cast<Call*>(lua_touserdata(L, 1));
  LuaRuntime& runtime = of(L);
  if (call.thread->state == nullptr) {
    call.thread->state = lua_newthread(L);
    call.thread->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  Session& session = *call.session;
  const bool response = session.input.response.has_value();
  lua_rawgeti(L, LUA_REGISTRYINDEX, response ? runtime.response_handler_ : runtime.main_);
  push_received(L, session);
  call.arguments = 1;
  if (response) {
    push(L, session.input.response->destination);
    push_response(L, session);
    call.arguments = 3;
  }
  lua_xmove(L, call.thread->state, call.arguments + 1);
  return 0;
}

LuaRuntime::Thread LuaRuntime::prepare(Session& session, int* arguments) {
  Thread thread;
  if (!spare_threads_.empty()) {
    thread = spare_threads_.back();
    spare_threads_.pop_back();
  }
  Call call{&session, &thread, 0};
  lua_State* L = machine_.state();
  lua_pushcfunction(L, &guarded<push_call>);
  lua_pushlightuserdata(L, &call);
  if (const int status = lua_pcall(L, 1, 0, 0); status != LUA_OK) {
    machine_.note_status(L, status);
    lua_pop(L, 1);
    drop(thread);
    return {};
  }
  *arguments = call.arguments;
  return thread;
}

void LuaRuntime::recycle(Thread thread) {
  if (spare_threads_.size() >= kSpareThreads) return drop(thread);
  lua_settop(thread.state, 0);
  spare_threads_.push_back(thread);
}

void LuaRuntime::drop(Thread thread) {
  if (thread.state == nullptr) return;
  machine_.forget_run(thread.state);
  luaL_unref(machine_.state(), LUA_REGISTRYINDEX, thread.reference);
}

std::unique_ptr<DocumentBox> LuaRuntime::take_spare_documents() {
  if (spare_documents_.empty()) {
    return std::make_unique<DocumentBox>(nullptr, DocumentBox::From::script,
                                         machine_.limits().memory);
  }
  auto box = std::move(spare_documents_.back());
  spare_documents_.pop_back();
  return box;
}

void LuaRuntime::give_back(std::unique_ptr<DocumentBox> box) {
  constexpr std::size_t kSpare = 2;
  constexpr std::size_t kLargest = 1u << 20;  // bytes
  if (!box || spare_documents_.size() >= kSpare) return;
  box->clear();
  if (box->read().memory() <= kLargest) spare_documents_.push_back(std::move(box));
}

}  // namespace cannula::script
