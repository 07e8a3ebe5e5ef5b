#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/verb.h"
#include "engine/config/site.h"
#include "engine/script/runtime.h"

namespace cannula::cli {
namespace {

// What a script reaches while it is only loaded: nothing.
class NoHost : public script::Host {
 public:
  std::int64_t now() const override { return 0; }
  std::optional<std::string> state(const std::string&, const std::string&) const override {
    return std::nullopt;
  }
  Result<std::string> secret(const std::string&, const std::string& name) const override {
    return Error{"P306", "secret \"" + name + "\" is not read while the site is only checked"};
  }
  std::shared_ptr<const rules::Resources> resources() const override {
    return std::make_shared<const rules::Resources>();
  }
};

// Compiles, and then loads as `run` does: what would keep the site from starting is found here.
std::vector<Diagnostic> check_script(const config::ChannelConfig& channel,
                                     const script::Program& program,
                                     const rules::Resources& resources) {
  std::vector<Diagnostic> findings = script::check(program);
  if (has_errors(findings)) return findings;
  script::Limits limits;
  limits.memory = channel.script_memory;
  limits.time = channel.script_time;
  NoHost host;
  script::MemoryPool pool(limits.memory);
  auto loaded =
      script::Runtime::load(std::make_shared<const script::Program>(program), limits, host, pool);
  if (auto* errors = std::get_if<std::vector<Diagnostic>>(&loaded)) return std::move(*errors);
  const auto& warnings = std::get<std::unique_ptr<script::Runtime>>(loaded)->warnings();
  findings.insert(findings.end(), warnings.begin(), warnings.end());
  const auto names = script::check_names(program, resources);
  findings.insert(findings.end(), names.begin(), names.end());
  return findings;
}

// The site's tables and rule sets by name, those too whose files have mistakes of their own:
// scripts that name them are right. Only the names are used.
rules::Resources names_of_resources(const config::Site& site) {
  rules::Resources names = *site.resources;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(site.root / "tables", ignored)) {
    if (file.path().extension() == ".csv") names.tables.try_emplace(file.path().stem(), nullptr);
  }
  for (const auto& file : std::filesystem::directory_iterator(site.root / "rules", ignored)) {
    if (file.path().extension() == ".rules")
      names.rule_sets.try_emplace(file.path().stem(), nullptr);
  }
  return names;
}

void check_scripts(const config::Site& site, std::vector<Diagnostic>& findings) {
  const rules::Resources resources = names_of_resources(site);
  for (const auto& [name, channel] : site.channels) {
    if (!channel.script) continue;
    script::Program program{name, channel.script, site.modules, {}, channel.timezone};
    for (const auto& destination : channel.destinations) {
      program.destinations.push_back(destination.name);
    }
    for (Diagnostic& finding : check_script(channel, program, resources))
      findings.push_back(std::move(finding));
  }
}

// What stands in the way on this machine, of each channel's source.
void look_at_sources(const config::Site& site, std::span<const Transport> transports,
                     std::vector<Diagnostic>& findings) {
  for (const auto& [name, channel] : site.channels) {
    for (const Transport& transport : transports) {
      if (transport.type != channel.source_type || !transport.look_at_source) continue;
      const auto looked = transport.look_at_source(channel.source, site.root);
      if (looked) continue;
      Diagnostic finding;
      finding.code = looked.error().code;
      finding.message = fmt::format("channel {}: {}", name, looked.error().message);
      finding.hint = looked.error().hint;
      findings.push_back(std::move(finding));
    }
  }
}

std::string file_of(const Diagnostic& finding) {
  return finding.source ? finding.source->name() : std::string();
}

// By file and place; the same finding in a module that several channels share is kept once.
void sort_and_merge(std::vector<Diagnostic>& findings) {
  const auto key = [](const Diagnostic& finding) {
    return std::tuple(file_of(finding), finding.span ? finding.span->begin : 0);
  };
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  findings.erase(std::unique(findings.begin(), findings.end(),
                             [&](const Diagnostic& a, const Diagnostic& b) {
                               return key(a) == key(b) && a.code == b.code &&
                                      a.message == b.message;
                             }),
                 findings.end());
}

int check(const std::string& named, const Context& context) {
  const auto folder = site_folder(named);
  if (!folder) {
    print_error(context, folder.error());
    return kUsage;
  }
  config::LoadedSite loaded = config::load_site(*folder, context.transports);
  std::vector<Diagnostic> findings = std::move(loaded.findings);
  check_scripts(loaded.site ? *loaded.site : loaded.partial, findings);
  if (loaded.site) look_at_sources(*loaded.site, context.transports, findings);
  sort_and_merge(findings);
  for (Diagnostic& finding : findings) {
    if (finding.hint.empty()) finding.hint = fmt::format("`cannula explain {}`", finding.code);
  }
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Diagnostic& finding : findings) list.push_back(finding_json(finding));
    print(context.out,
          nlohmann::ordered_json{{"valid", !has_errors(findings)}, {"findings", list}}.dump(
              2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
              "\n");
  } else {
    print(context.out, render(findings));
  }
  return has_errors(findings) ? kInvalidSite : kFine;
}

}  // namespace

Verb check_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "check",
          .summary =
              "Check a site: files, keys, values, references and scripts. Silent when all is well.",
          .example = "cannula check my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run = [site](const Context& context) { return check(*site, context); }};
}

}  // namespace cannula::cli
