// The trace of a message: what its script looked at and said, one JSON object a line.
#pragma once

#include <string>
#include <string_view>

#include "engine/script/lua_api.h"

namespace cannula::script {

// Adds a line, `{"at":…` and then `rest`, which begins with a comma and ends with the closing
// brace. Does nothing at the top level of a script, which has no message; beyond 256 KB one last
// line says that the rest was dropped.
void add_trace(lua_State* L, std::string_view rest);

}  // namespace cannula::script
