// The globals of a script: an allow-list, read-only once the script is loaded, where an unknown
// name is an error with a suggestion instead of nil.
#pragma once

#include <string>
#include <vector>

#include "engine/script/lua_api.h"
#include "engine/script/registry.h"

namespace cannula::script {

// Makes the globals table of a new state, with every library of registry.h. Runs protected.
int open_sandbox(lua_State* L);

// Pushes the value of a global that the script defined, or nil; no errors, no metamethods.
int push_global(lua_State* L, const char* name);

// The names of all globals as they are now; throws nothing of Lua's.
std::vector<std::string> global_names(lua_State* L);

// Pushes a read-only face of the table on top of the stack in its place.
void protect_table(lua_State* L, const char* name);
// The same, of a table that can also be called.
void protect_callable(lua_State* L, lua_CFunction call, const char* name);
// Pushes the table behind a read-only face, or the table at `index` itself when it is none.
void push_behind_protection(lua_State* L, int index);
// Throws when the table at `index` is read-only.
void refuse_protected(lua_State* L, int index);

// The functions of `library` into the table on top of the stack.
void set_functions(lua_State* L, const Library& library);

}  // namespace cannula::script
