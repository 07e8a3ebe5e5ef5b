#include "engine/cli/site_tables.h"

#include <fmt/format.h>

#include "engine/config/site.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

bool is_about_tables(const Diagnostic& finding) {
  return finding.source &&
         std::filesystem::path(finding.source->name()).parent_path().filename() == "tables";
}

}  // namespace

Result<SiteTables> read_site_tables(const std::string& named, const Context& context) {
  SiteTables tables;
  tables.root = TRY(site_folder(named));
  config::LoadedSite loaded = config::load_site(tables.root, context.transports);
  tables.resources = (loaded.site ? *loaded.site : loaded.partial).resources;
  for (Diagnostic& finding : loaded.findings) {
    if (is_about_tables(finding)) tables.findings.push_back(std::move(finding));
  }
  return tables;
}

Result<std::shared_ptr<const tables::Table>> find_table(const SiteTables& site,
                                                        const std::string& name) {
  const auto found = site.resources->tables.find(name);
  if (found != site.resources->tables.end()) return found->second;
  for (const Diagnostic& finding : site.findings) {
    if (std::filesystem::path(finding.source->name()).filename().string().starts_with(name + ".")) {
      return Error{"U141", fmt::format("the table `{}` has errors and cannot be used", name),
                   fmt::format("`cannula table check {}` shows them", finding.source->name())};
    }
  }
  std::vector<std::string_view> names;
  for (const auto& [known, table] : site.resources->tables) names.push_back(known);
  const auto near = nearest(name, names);
  return Error{"U141", fmt::format("the site {} has no table `{}`", site.root.string(), name),
               near            ? fmt::format("did you mean `{}`?", *near)
               : names.empty() ? "a table is a file tables/NAME.csv of the site"
                               : fmt::format("it has {}", fmt::join(names, ", "))};
}

std::string key_for_people(std::string_view joined_key) {
  std::string text;
  for (;;) {
    const std::size_t end = std::min(joined_key.find(tables::kKeySeparator), joined_key.size());
    text += visible(joined_key.substr(0, end));
    if (end == joined_key.size()) return text;
    text += " | ";
    joined_key.remove_prefix(end + 1);
  }
}

}  // namespace cannula::cli
