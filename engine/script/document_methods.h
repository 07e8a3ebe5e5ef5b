// The members of Document and DocumentNode, by the order of their tables.
#pragma once

#include <span>

#include "engine/script/lua_api.h"
#include "engine/script/registry.h"

namespace cannula::script {

// The first members of a Document, which are no methods.
enum DocumentProperty { kId, kPartner, kReceivedAt, kRaw, kRequest, kProperties };
std::span<const Binding> document_members();
std::span<const Binding> document_node_members();

// __tostring and __len of both.
int document_to_string(lua_State* L);
int document_length(lua_State* L);

}  // namespace cannula::script
