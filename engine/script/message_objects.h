// Message, Segment, Node and Group: what a script sees of HL7 v2.
#pragma once

#include "engine/script/lua_api.h"

namespace cannula::script {

void open_message_objects(lua_State* L);

}  // namespace cannula::script
