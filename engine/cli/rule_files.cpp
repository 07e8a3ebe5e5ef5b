#include "engine/cli/rule_files.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace cannula::cli {
namespace {

namespace fs = std::filesystem;

Result<std::vector<fs::path>> files_of_site(const fs::path& site) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(site / "rules", failed)) {
    if (entry.path().extension() == ".rules") files.push_back(entry.path());
  }
  if (files.empty()) {
    return Error{"U120", fmt::format("there are no rules in {}", (site / "rules").string()),
                 "rules are files rules/NAME.rules of a site"};
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<RuleFile> read_rule_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    return Error{"U120", fmt::format("{} cannot be read", path.string()),
                 "name a rule file, or the folder of a site"};
  }
  auto source = std::make_shared<const Source>(path.string(), std::move(text));
  return RuleFile{path, rules::RuleSet::compile(path.stem().string(), std::move(source))};
}

}  // namespace

Result<std::vector<RuleFile>> read_rule_files(const std::vector<std::string>& named) {
  std::vector<fs::path> paths;
  if (named.empty()) {
    const fs::path site = TRY(site_folder(""));
    paths = TRY(files_of_site(site));
  }
  for (const std::string& name : named) {
    std::error_code ignored;
    if (!fs::is_directory(name, ignored)) {
      if (!fs::exists(name, ignored) && !name.ends_with(".rules"))
        TRY(site_folder(name));  // says that there is none
      paths.emplace_back(name);
      continue;
    }
    if (!fs::is_directory(fs::path(name) / "rules", ignored)) TRY(site_folder(name));
    const std::vector<fs::path> files = TRY(files_of_site(name));
    paths.insert(paths.end(), files.begin(), files.end());
  }
  std::vector<RuleFile> files;
  files.reserve(paths.size());
  for (const fs::path& path : paths) files.push_back(TRY(read_rule_file(path)));
  return files;
}

std::vector<Diagnostic> findings_of(const std::vector<RuleFile>& files) {
  std::vector<Diagnostic> findings;
  for (const RuleFile& file : files) {
    findings.insert(findings.end(), file.compiled.findings.begin(), file.compiled.findings.end());
  }
  return findings;
}

}  // namespace cannula::cli
