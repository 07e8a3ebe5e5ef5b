// string.*: the pattern functions are our own (pattern.h), so that they stop.
#pragma once

#include "engine/script/lua_api.h"

namespace cannula::script {

// next_match(text, pattern, at, last) -> from, to, captures…: the first match that starts at `at`
// or behind it and does not end at `last`; `to` is the place behind it. For prelude.cpp.
int next_match(lua_State* L);

}  // namespace cannula::script
