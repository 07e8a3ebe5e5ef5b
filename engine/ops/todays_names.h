// Channels and destinations that were renamed, for the person who asks: they are counted, listed
// and sent again under the names that they have today, and may be asked for by either.
#pragma once

#include <vector>

#include "engine/config/former_names.h"
#include "engine/store/store.h"

namespace cannula::ops {

// What was counted under a former name is added to that of today. What is not configured any more
// keeps the name it had.
std::vector<store::StateCount> under_todays_names(const std::vector<store::StateCount>& counts,
                                                  const config::Site& site);

// Widens a MessageQuery or LetterQuery that names a channel to all names of that channel, and of
// its destination.
template <class Query>
void widen_to_former_names(Query& query, const config::Site& site) {
  const auto* channel = config::channel_known_as(site, query.channel);
  if (!channel) return;
  query.also_of_channels = config::names_of(*channel);
  std::erase(query.also_of_channels, query.channel);
  if (const auto* destination = config::destination_known_as(*channel, query.destination)) {
    query.also_to = config::names_of(*destination);
    std::erase(query.also_to, query.destination);
  }
}

}  // namespace cannula::ops
