// phi(value) and secret(name): values that print as ***.
#pragma once

#include <string_view>

#include "engine/script/lua_api.h"

namespace cannula::script {

// What the phi object at `index` holds, as text; lives while the object does.
std::string_view phi_text(lua_State* L, int index);

void open_opaque(lua_State* L);
int make_phi(lua_State* L);
int make_secret(lua_State* L);

}  // namespace cannula::script
