// Request and Response: what a message was asked with besides its body, and what a destination
// answered.
#pragma once

#include "engine/script/objects.h"

namespace cannula::script {

// The table of msg.request, or nil.
void push_request(lua_State* L, const Input& input);
void push_response(lua_State* L, Session& session);
void open_response_object(lua_State* L);

}  // namespace cannula::script
