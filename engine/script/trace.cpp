#include "engine/script/trace.h"

#include "engine/script/lua_runtime.h"
#include "engine/script/time_text.h"

namespace cannula::script {

namespace {
constexpr std::size_t kLongestTrace = 256u << 10;
constexpr std::size_t kAroundLine = sizeof("{\"at\":\"2026-01-15T09:30:42.123456Z\"\n") - 1;
}  // namespace

void add_trace(lua_State* L, std::string_view rest) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  if (!runtime.has_session()) return;
  Session& session = runtime.session();
  if (session.trace_full) return;
  const auto begin_line = [&] {
    session.trace += "{\"at\":\"";
    append_iso_time(session.trace, runtime.host().now());
    session.trace += '"';
  };
  if (session.trace.size() > kLongestTrace) {
    session.trace_full = true;
    begin_line();
    session.trace +=
        ",\"level\":\"warn\",\"text\":\"further lines of this message were dropped\"}\n";
    return;
  }
  charge(L, session, rest.size() + kAroundLine);
  begin_line();
  session.trace += rest;
  session.trace += '\n';
}

}  // namespace cannula::script
