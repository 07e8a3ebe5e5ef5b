// Modules that come with the engine: require("compat.iguana"), require("compat.mirth"). They give
// the names that scripts of other engines use; they are Lua, over the objects that every script
// has.
#pragma once

#include <span>
#include <string_view>

#include "engine/script/lua_api.h"

namespace cannula::script {

struct BuiltInModule {
  std::string_view name;  // "compat.iguana"
  std::string_view text;  // Lua
};

std::span<const BuiltInModule> built_in_modules();
const BuiltInModule* find_built_in_module(std::string_view name);  // null: there is none

// Pushes what such a module is called with besides its name: the channel, its destinations, and
// what the standard says about repetition.
void push_module_support(lua_State* L);

extern const std::string_view kCompatIguana;
extern const std::string_view kCompatMirth;

}  // namespace cannula::script
