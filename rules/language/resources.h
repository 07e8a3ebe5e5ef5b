// What clinical staff decide, as it stands at one moment: the tables and rule sets of a site, and
// what it expects of HL7 v2 messages. Immutable; a change of a file makes a new one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "rules/language/rule_set.h"
#include "rules/tables/table.h"

namespace cannula::hl7v2 {
class Profile;
class SiteSegments;
}  // namespace cannula::hl7v2

namespace cannula::rules {

struct Resources {
  std::map<std::string, std::shared_ptr<const tables::Table>, std::less<>> tables;
  std::map<std::string, std::shared_ptr<const RuleSet>, std::less<>> rule_sets;
  // hl7/NAME.profile, and the Z segments of all hl7/*.segments; these null where there are none.
  std::map<std::string, std::shared_ptr<const hl7v2::Profile>, std::less<>> profiles{};
  std::shared_ptr<const hl7v2::SiteSegments> segments{};
};

}  // namespace cannula::rules
