// What is said about a script before any message runs: its syntax, its top level, a missing main.
#pragma once

#include "engine/script/lua_runtime.h"
#include "engine/script/runtime.h"

namespace cannula::script {

Diagnostic finding_without_place(std::string code, std::string message, std::string hint);
Diagnostic missing_main(const std::shared_ptr<const Source>& main);
// The globals that the script and the modules it names read, but nothing has defined when it was
// loaded (`known`), so that reading them fails: errors L107; warnings where the name is one of
// another Lua's, which portable code reads behind an `or`. Compiles, runs nothing.
std::vector<Diagnostic> unknown_names(const Program& program,
                                      const std::vector<std::string>& known);
// Points to the line that the failure names, in main or a module.
Diagnostic failed_top_level(const Program& program, const Failure& failure);

}  // namespace cannula::script
