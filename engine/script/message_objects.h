// Message, Segment, Node, Group and Response: what a script sees of HL7 v2.
#pragma once

#include "engine/script/lua_api.h"
#include "engine/script/session.h"

namespace cannula::script {

void open_message_objects(lua_State* L);
void push_response(lua_State* L, Session& session);

}  // namespace cannula::script
