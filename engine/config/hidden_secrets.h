// Findings are printed with the line that they point into, and that line may have a secret in it:
// a PIN that was written out, a master key, the address of a token with `pin-value`.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/options.h"
#include "parsers/text/diagnostic.h"

namespace cannula::config {

// Adds the names of the options, and of their members, that are secrets.
void add_secret_names(std::span<const Option> options, std::set<std::string, std::less<>>& names);

// Where `finding` points into a line of a TOML file that may hold a secret, it gets a source that
// ends before the first value of that line. Line and column stay; what was written, and how long it
// was, is gone. A line may hold one when a key of it is one of `names` or nearly, when it names a
// header of HTTP such as Authorization, when it stands under [keys], [secrets] or [audit], or when
// the finding is about a secret (C123, C147). It is looked at as text, because a file that cannot
// be parsed has secrets too.
void hide_secrets(Diagnostic& finding, const std::set<std::string, std::less<>>& names);

}  // namespace cannula::config
