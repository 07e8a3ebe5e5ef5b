// A Run of a LuaRuntime.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/script/runtime.h"

namespace cannula::script {

class LuaRuntime;

std::unique_ptr<Run> make_run(LuaRuntime& runtime, std::uint64_t serial, Input input);

}  // namespace cannula::script
