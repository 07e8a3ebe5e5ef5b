// Texts with places for values: "Potassium {value} in {name}".
#pragma once

#include "rules/language/findings.h"
#include "rules/language/program.h"
#include "rules/language/syntax.h"
#include "rules/language/terms.h"

namespace cannula::rules {

// Findings (R215) name places that mean nothing.
Template read_template(const Node& text, Findings& findings, Terms& terms);

}  // namespace cannula::rules
