// The part of the standard library that is written in Lua: functions that call back into the script
// and so must be suspended while the callback runs.
#pragma once

#include "engine/script/lua_api.h"

namespace cannula::script {

// Adds `sort` to the table library at stack index `table`, and keeps the gsub that takes a function
// for push_gsub_with_function.
void run_prelude(lua_State* L, int string, int table);

void push_gsub_with_function(lua_State* L);

// The name of its chunk; its frames are left out of tracebacks.
inline constexpr const char* kPreludeName = "=(engine)";

}  // namespace cannula::script
