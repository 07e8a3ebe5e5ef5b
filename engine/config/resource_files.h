// The files that clinical staff keep: tables/NAME.csv with NAME.table.toml, and rules/NAME.rules,
// and what the site expects of HL7 v2 messages: hl7/NAME.profile and hl7/NAME.segments.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "rules/language/resources.h"

namespace cannula::config {

struct LoadedResources {
  // Never null. A file with errors is not in it, or stays as `last_good` had it.
  std::shared_ptr<const rules::Resources> resources;
  std::vector<Diagnostic> findings;  // of all files
};

// Reads all of them, and, if asked to, runs the tests of rules: a set of which one fails has errors
// (R230).
// `last_good`, which may be null, is what is in use: rule sets whose text is the same are taken
// from there, without what there was to warn of. Never throws.
LoadedResources load_resources(const std::filesystem::path& root,
                               const rules::Resources* last_good = nullptr, bool test_rules = true);

// Names, sizes and times of the files: differs when one of them has changed. Cheap enough to be
// asked every second.
std::string resources_stamp(const std::filesystem::path& root);

}  // namespace cannula::config
