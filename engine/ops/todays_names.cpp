#include "engine/ops/todays_names.h"

#include <map>
#include <tuple>

namespace cannula::ops {

std::vector<store::StateCount> under_todays_names(const std::vector<store::StateCount>& counts,
                                                  const config::Site& site) {
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> sums;
  for (const store::StateCount& one : counts) {
    std::string name = one.channel, to = one.destination;
    if (const auto* channel = config::channel_known_as(site, one.channel)) {
      name = channel->name;
      if (const auto* destination = config::destination_known_as(*channel, one.destination))
        to = destination->name;
    }
    sums[{name, to, one.state}] += one.count;
  }
  std::vector<store::StateCount> added;
  for (const auto& [key, count] : sums) {
    const auto& [channel, destination, state] = key;
    added.push_back({channel, destination, state, count});
  }
  return added;
}

}  // namespace cannula::ops
