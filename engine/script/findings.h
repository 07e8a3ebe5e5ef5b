// What is said about a script before any message runs: its syntax, its top level, a missing main.
#pragma once

#include "engine/script/lua_runtime.h"
#include "engine/script/runtime.h"

namespace cannula::script {

Diagnostic finding_without_place(std::string code, std::string message, std::string hint);
Diagnostic missing_main(const std::shared_ptr<const Source>& main);
// Points to the line that the failure names, in main or a module.
Diagnostic failed_top_level(const Program& program, const Failure& failure);

}  // namespace cannula::script
