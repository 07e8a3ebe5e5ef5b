// lookup, Row, rules and Verdict: what a script sees of the tables and rules of clinical staff.
#pragma once

#include "engine/script/lua_api.h"

namespace cannula::script {

void open_lookup(lua_State* L);  // pushes the global `lookup`, and makes Row
void open_verdict(lua_State* L);

}  // namespace cannula::script
