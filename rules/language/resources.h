// What clinical staff decide, as it stands at one moment: the tables and rule sets of a site.
// Immutable; a change of a file makes a new one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "rules/language/rule_set.h"
#include "rules/tables/table.h"

namespace cannula::rules {

struct Resources {
  std::map<std::string, std::shared_ptr<const tables::Table>, std::less<>> tables;
  std::map<std::string, std::shared_ptr<const RuleSet>, std::less<>> rule_sets;
};

}  // namespace cannula::rules
