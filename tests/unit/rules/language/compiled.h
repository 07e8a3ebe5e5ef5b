// Rule files for tests, compiled from text.
#pragma once

#include <memory>
#include <string>

#include "rules/language/rule_set.h"

namespace cannula::rules {

// What every test file begins with.
inline const std::string kTerms =
    "term potassium is loinc \"2823-3\" or loinc \"6298-4\" measured in mmol/L\n"
    "term sodium is loinc \"2951-2\" measured in mmol/L\n"
    "term hemolyzed is code \"HEM\" in \"HL70493\" or text \"hemolyzed\"\n";

inline RuleSet::Compiled compile(std::string text) {
  return RuleSet::compile("labs", std::make_shared<const Source>("labs.rules", std::move(text)));
}

// The findings of kTerms followed by a rule, warnings and notes left out.
inline std::string errors_of(const std::string& text) {
  std::vector<Diagnostic> errors;
  for (const Diagnostic& finding : compile(text).findings) {
    if (finding.severity == Severity::error) errors.push_back(finding);
  }
  return render(errors);
}

}  // namespace cannula::rules
