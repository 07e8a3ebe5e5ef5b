// The site that `cannula test` and `cannula try` work on, and how they show what they found.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/cli/verb.h"
#include "engine/config/site.h"

namespace cannula::cli {

// The site, ready to be tried. Prints why there is none, and gives the exit code, when it cannot
// be.
struct TrialSite {
  std::optional<config::Site> site;
  int exit = kFine;
};
TrialSite load_trial_site(const std::string& named, const Context& context);

// The channel of that name; prints the error (U107), with the nearest name, when there is none.
const config::ChannelConfig* find_channel(const config::Site& site, const std::string& name,
                                          const Context& context);

std::string indented(std::string_view text, std::size_t blanks);

}  // namespace cannula::cli
