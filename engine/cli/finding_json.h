// A finding for programs: `--json` of the verbs that look for mistakes.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "parsers/text/diagnostic.h"

namespace cannula::cli {

// {"severity", "code", "message", "file", "line", "column", "end_line", "end_column", "path",
// "hint"}, without what the finding does not have.
nlohmann::ordered_json finding_json(const Diagnostic& finding);

}  // namespace cannula::cli
