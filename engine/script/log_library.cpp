// log.*: lines for the message's trace, one JSON object a line.
#include <string>

#include "engine/script/lua_api.h"
#include "engine/script/objects.h"
#include "engine/script/registry.h"
#include "engine/script/trace.h"
#include "engine/script/values.h"

namespace cannula::script {

namespace {

constexpr std::size_t kLongestText = 4096;

void add_line(lua_State* L, std::string_view level, std::string_view text, int fields) {
  std::string line = ",\"level\":\"" + std::string(level) + "\",\"text\":";
  append_json_string(line, text.substr(0, kLongestText));
  if (fields != 0) {
    line += ",\"fields\":";
    append_log_json(L, fields, line);
  }
  add_trace(L, line + "}");
}

int log_line(lua_State* L, std::string_view level) {
  const Object* object = object_at(L, 1);
  const bool masked = object != nullptr &&
                      (object->kind == Object::Kind::phi || object->kind == Object::Kind::secret);
  const std::string text(masked ? "***" : string_argument(L, 1));
  if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TTABLE) {
    throw ScriptError(
        "L227", std::string("the fields of a log line are a table, { name = value }, not a ") +
                    luaL_typename(L, 2));
  }
  add_line(L, level, text, lua_type(L, 2) == LUA_TTABLE ? 2 : 0);
  return 0;
}

int debug(lua_State* L) {
  return log_line(L, "debug");
}
int info(lua_State* L) {
  return log_line(L, "info");
}
int warn(lua_State* L) {
  return log_line(L, "warn");
}
int error(lua_State* L) {
  return log_line(L, "error");
}

int print(lua_State* L) {
  std::string text;
  const int count = lua_gettop(L);
  for (int index = 1; index <= count; ++index) {
    if (index > 1) text += '\t';
    luaL_tolstring(L, index, nullptr);
    text += view_at(L, -1).substr(0, kLongestText);
    lua_pop(L, 1);
    if (text.size() > kLongestText) break;
  }
  add_line(L, "info", text, 0);
  return 0;
}

constexpr Binding kBindings[] = {
    {"debug", "(text: string, fields?: table)", "For the author of the script.", &guarded<debug>},
    {"info", "(text: string, fields?: table)",
     "What happened: `log.info(\"routed\", { mrn = phi(msg[\"PID-3.1\"]) })`.", &guarded<info>},
    {"warn", "(text: string, fields?: table)", "What somebody should look at.", &guarded<warn>},
    {"error", "(text: string, fields?: table)", "What went wrong. Does not end the message.",
     &guarded<error>},
};

constexpr Binding kPrint[] = {
    {"print", "(...)", "Writes a log line of level info.", &guarded<print>},
};

}  // namespace

Library log_library() {
  return {
      "log", Library::Kind::table,
      "Lines for the message's trace. Values marked by `phi` show as `***`; do not join patient "
      "data into the text.",
      kBindings};
}

Library print_library() {
  return {"Print", Library::Kind::globals, "", kPrint};
}

}  // namespace cannula::script
