// Lines of a message's trace as people read them: what the script logged, looked up, and what the
// rules said.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace cannula::cli {

// One line of Outcome::trace, or several for a verdict, each indented by four blanks and ended by a
// newline. Rules that did not fire are told in a word.
std::string trace_text(const nlohmann::json& line);

}  // namespace cannula::cli
