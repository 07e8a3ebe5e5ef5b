// Texts that others wrote, for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace cannula {

// Nothing that a terminal would obey, one line (line ends become " / "), at most about so many
// bytes.
std::string visible(std::string_view text, std::size_t most = std::string::npos);

}  // namespace cannula
