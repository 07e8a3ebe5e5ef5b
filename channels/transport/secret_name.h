// Names that have something to log in with behind them.
#pragma once

#include <string_view>

namespace cannula {

// Whether the value of a header or query parameter of this name is something to log in with, which
// is neither stored nor shown: `Authorization`, `Cookie`, `X-Api-Key`, `access_token`.
bool is_secret_name(std::string_view name);

// The name of the first parameter in the query of a URL, which may stand in other text, whose value
// is something to log in with; empty when there is none.
std::string_view secret_parameter_of(std::string_view url);

}  // namespace cannula
