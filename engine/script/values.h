// Lua values as JSON text and back.
#pragma once

#include <string>
#include <string_view>

#include "engine/script/lua_api.h"
#include "parsers/tree/document.h"

namespace cannula::script {

using tree::append_json_string;

// The value at `index`, for the durable state: nil, booleans, finite numbers, UTF-8 strings and
// tables of them. Throws ScriptError L223, naming `what`, for anything else, more than 16 levels,
// or more than 256 KB.
std::string state_json(lua_State* L, int index, std::string_view what);

// The value at `index`, for a log line: never fails. phi, secrets and what is not data show as
// such; at most 4 levels and about 8 KB.
void append_log_json(lua_State* L, int index, std::string& out);

// Pushes the value of a JSON text; throws ScriptError when it is none.
void push_json(lua_State* L, std::string_view json);

}  // namespace cannula::script
