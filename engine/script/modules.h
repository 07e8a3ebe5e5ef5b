// require(name): the site's modules, each run once in a state.
#pragma once

#include "engine/script/lua_api.h"
#include "parsers/text/span.h"

namespace cannula::script {

int require_module(lua_State* L);

// Compiles a source under its own name; gives Lua's status, with the function or the error pushed.
int load_source(lua_State* L, const Source& source);

}  // namespace cannula::script
