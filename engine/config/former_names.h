// Names that a channel or a destination had before: its `renamed_from`. What waits, is paused or is
// asked for under one of them belongs to the one of today; C144 sees to it that it is one alone.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/site.h"

namespace cannula::config {

// Of a ChannelConfig or a DestinationConfig; today's first.
template <class Config>
std::vector<std::string> names_of(const Config& config) {
  std::vector<std::string> names{config.name};
  names.insert(names.end(), config.renamed_from.begin(), config.renamed_from.end());
  return names;
}

template <class Config>
bool is_known_as(const Config& config, std::string_view name) {
  const auto& former = config.renamed_from;
  return config.name == name || std::find(former.begin(), former.end(), name) != former.end();
}

// Null: there is none, and nothing has taken it over.
inline const ChannelConfig* channel_known_as(const Site& site, const std::string& name) {
  const auto present = site.channels.find(name);
  if (present != site.channels.end()) return &present->second;
  for (const auto& [now, channel] : site.channels) {
    if (is_known_as(channel, name)) return &channel;
  }
  return nullptr;
}

inline const DestinationConfig* destination_known_as(const ChannelConfig& channel,
                                                     const std::string& name) {
  for (const DestinationConfig& destination : channel.destinations) {
    if (is_known_as(destination, name)) return &destination;
  }
  return nullptr;
}

}  // namespace cannula::config
