// What nodes give besides text: the data types of parsers/hl7v2/values.h as tables, documents,
// formatted text.
#pragma once

#include "engine/script/lua_api.h"

namespace cannula::script {

// Members of Node. Each reads without an argument, and writes with a table where the type is
// made of parts.
int node_nm(lua_State* L);
int node_sn(lua_State* L);
int node_dtm(lua_State* L);
int node_hd(lua_State* L);
int node_cwe(lua_State* L);
int node_cx(lua_State* L);
int node_xpn(lua_State* L);
int node_xcn(lua_State* L);
int node_xad(lua_State* L);
int node_xtn(lua_State* L);
int node_formatted(lua_State* L);
int node_base64(lua_State* L);
int node_document(lua_State* L);

}  // namespace cannula::script
