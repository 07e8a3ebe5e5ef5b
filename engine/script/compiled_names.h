// The global names that a compiled Lua function and the functions inside it read and write, found
// in Lua 5.4's own form of compiled code; nothing is run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/script/lua_api.h"

namespace cannula::script {

struct CompiledNames {
  struct Read {
    std::string name;
    std::size_t line;  // of the source, from 1
  };
  // A call of a global function, or of a member of one ("rules.evaluate"), with a text as first
  // argument.
  struct Call {
    std::string function;
    std::string text;
    std::size_t line;  // where the text stands
  };
  std::vector<Read> reads;           // in the order of the code, a name once a line
  std::vector<Call> calls;           // in the order of the code
  std::vector<std::string> written;  // names that are assigned to
  std::vector<std::string> texts;    // all strings that the code holds, such as require's names
};

// Of the function on top of the stack, which stays there: a main chunk as lua_load gives it. A name
// that is read through a variable, as in _G[name], is not seen, nor is anything under a `local
// _ENV`. Nullopt when this Lua's compiled code is not the one known here.
std::optional<CompiledNames> compiled_names(lua_State* L);

}  // namespace cannula::script
