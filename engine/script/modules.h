// require(name): the site's modules, each run once in a state.
#pragma once

#include "engine/script/lua_api.h"
#include "parsers/text/span.h"

namespace cannula::script {

int require_module(lua_State* L);

// Compiles a source under its own name; gives Lua's status, with the function or the error pushed.
int load_source(lua_State* L, const Source& source);

// Editors on Windows put a byte order mark first; as in Lua's own loadfile it does not belong to
// the script.
inline std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

}  // namespace cannula::script
