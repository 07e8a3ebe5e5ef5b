#include "engine/script/trace.h"

#include "engine/script/lua_runtime.h"
#include "engine/script/time_text.h"

namespace cannula::script {

namespace {
constexpr std::size_t kLongestTrace = 256u << 10;
}

void add_trace(lua_State* L, std::string_view rest) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  if (!runtime.has_session()) return;
  Session& session = runtime.session();
  if (session.trace_full) return;
  std::string line;
  line.reserve(rest.size() + 48);
  line += "{\"at\":\"" + iso_time(runtime.host().now()) + '"';
  if (session.trace.size() > kLongestTrace) {
    session.trace_full = true;
    session.trace +=
        line + ",\"level\":\"warn\",\"text\":\"further lines of this message were dropped\"}\n";
    return;
  }
  line += rest;
  line += '\n';
  charge(L, session, line.size());
  session.trace += line;
}

}  // namespace cannula::script
