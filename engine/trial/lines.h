// Texts by lines, as payloads, traces and reasons are compared and shown.
#pragma once

#include <string_view>
#include <vector>

namespace cannula::trial {

// Lines ended by CR, LF or CRLF, without empty ones at the end. Views of `text`.
std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace cannula::trial
