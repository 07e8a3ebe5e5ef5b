// time.*: moments as numbers of seconds since 1970, so that scripts calculate with them.
#include <cmath>

#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/registry.h"
#include "engine/script/time_text.h"

namespace cannula::script {

namespace {

TimeZone zone_argument(lua_State* L, int index) {
  auto zone = TimeZone::find(string_argument(L, index));
  if (!zone) throw ScriptError("L224", zone.error().message + ": " + zone.error().hint);
  return *std::move(zone);
}

int now(lua_State* L) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  const std::int64_t time = runtime.has_session() ? runtime.session().now : runtime.host().now();
  lua_pushnumber(L, static_cast<lua_Number>(time) / 1e6);
  return 1;
}

int format(lua_State* L) {
  const lua_Number seconds = luaL_checknumber(L, 1);
  if (!(std::abs(seconds) < 2.5e11)) {
    throw ScriptError("L224", "a time is a number of seconds since 1970, within 8,000 years");
  }
  const std::string_view pattern = lua_isnoneornil(L, 2) ? "%Y%m%d%H%M%S%z" : string_argument(L, 2);
  const std::int64_t moment = std::llround(seconds * 1e6);
  const auto text =
      format_time(moment, pattern, lua_isnoneornil(L, 3) ? TimeZone::utc() : zone_argument(L, 3));
  if (!text) throw ScriptError("L224", text.error().message);
  push(L, *text);
  return 1;
}

int parse(lua_State* L) {
  if (lua_isnoneornil(L, 1)) {
    lua_pushnil(L);
    lua_pushliteral(L, "there is no time to read");
    return 2;
  }
  const std::string_view text = string_argument(L, 1);
  const auto time = lua_isnoneornil(L, 2) ? parse_time(text, LuaRuntime::of(L).timezone())
                                          : parse_time(text, zone_argument(L, 2));
  if (!time) {
    lua_pushnil(L);
    push(L, time.error().text());
    return 2;
  }
  if (*time % 1'000'000 == 0) {
    lua_pushinteger(L, *time / 1'000'000);
  } else {
    lua_pushnumber(L, static_cast<lua_Number>(*time) / 1e6);
  }
  return 1;
}

constexpr Binding kBindings[] = {
    {"now", "(): number",
     "Seconds since 1970-01-01 UTC, with a fraction. The same during a whole run, so that a "
     "message "
     "gets one time; fixed in tests.",
     &guarded<now>},
    {"format", "(seconds: number, format?: string, zone?: string): string",
     "As HL7 v2 writes it, `20260115093042+0000`, or by a format of `%Y %m %d %H %M %S %L %f %z "
     "%Z`. `zone` is where the clock stands: an IANA name such as `\"Europe/Vienna\"`, with its "
     "summer and winter time, or an offset such as `\"+0100\"`; UTC when absent.",
     &guarded<format>},
    {"parse", "(text: string?, zone?: string): number?, string?",
     "Reads an HL7 v2 or ISO 8601 time. One without an offset is what a clock in `zone` showed: an "
     "IANA name or an offset; when absent the channel's `timezone`, UTC where it has none; MSH-7 "
     "is "
     "not looked at, as `fhir.datetime` does. Of an "
     "hour that the end of summer time repeats, the first is taken. nil and the reason when it is "
     "none.",
     &guarded<parse>},
};

}  // namespace

Library time_library() {
  return {"time", Library::Kind::table, "A moment is a number of seconds since 1970-01-01 UTC.",
          kBindings};
}

}  // namespace cannula::script
