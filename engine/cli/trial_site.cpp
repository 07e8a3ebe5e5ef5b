#include "engine/cli/trial_site.h"

#include <fmt/format.h>

namespace cannula::cli {

TrialSite load_trial_site(const std::string& named, const Context& context) {
  const auto folder = site_folder(named);
  if (!folder) {
    print_error(context, folder.error());
    return {std::nullopt, kUsage};
  }
  // What a rule does whose test fails is what somebody may want to see.
  config::LoadedSite loaded = config::load_site(*folder, context.transports, {.test_rules = false});
  if (loaded.site) return {std::move(loaded.site), kFine};
  print(context.err, render(loaded.findings));
  return {std::nullopt, kInvalidSite};
}

const config::ChannelConfig* find_channel(const config::Site& site, const std::string& name,
                                          const Context& context) {
  if (const auto found = site.channels.find(name); found != site.channels.end()) {
    return &found->second;
  }
  std::vector<std::string_view> names;
  for (const auto& [known, channel] : site.channels) names.push_back(known);
  const auto near = nearest(name, names);
  print_error(context, {"U107", fmt::format("the site has no channel \"{}\"", name),
                        near ? fmt::format("did you mean \"{}\"?", *near)
                             : fmt::format("it has: {}", fmt::join(names, ", "))});
  return nullptr;
}

std::string indented(std::string_view text, std::size_t blanks) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += std::string(blanks, ' ') + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace cannula::cli
