// The rule files that a verb works on, read and compiled.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/cli/verb.h"
#include "rules/language/rule_set.h"

namespace cannula::cli {

struct RuleFile {
  std::filesystem::path path;
  rules::RuleSet::Compiled compiled;
};

// Each of `named` is a rule file or the folder of a site, which stands for the files in its rules/;
// none: the site at or above the working directory. Fails (U103, U120) when there is no such file,
// or the site has no rules.
Result<std::vector<RuleFile>> read_rule_files(const std::vector<std::string>& named);

// All findings, file by file.
std::vector<Diagnostic> findings_of(const std::vector<RuleFile>& files);

}  // namespace cannula::cli
