// The global `state`.
#pragma once

#include "engine/script/lua_api.h"

namespace cannula::script {

void open_state_table(lua_State* L);  // pushes it

}  // namespace cannula::script
