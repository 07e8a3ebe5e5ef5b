// From what is written to what is meant: resolves names, checks units, dates and conditions, and
// says what is wrong or probably not meant.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rules/language/program.h"
#include "rules/language/syntax.h"

namespace cannula::rules {

// The program of `syntax`; of use only when no finding is an error.
Program check(std::string name, const std::shared_ptr<const Source>& source, const Syntax& syntax,
              std::vector<Diagnostic>& findings);

}  // namespace cannula::rules
