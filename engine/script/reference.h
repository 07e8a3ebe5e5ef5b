// What a script can use, from the table that registers it (registry.h).
#pragma once

#include <string>

namespace cannula::script {

// A ---@meta file for the Lua language server, as `cannula lua types` writes it.
std::string lua_types();

// docs/reference/lua.md, Markdown.
std::string reference_page();

}  // namespace cannula::script
