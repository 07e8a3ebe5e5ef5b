// How long a feed has been silent and how long deliveries have waited: what alerts are put on.
// Asked of the store, so that they are known right after a start.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/store/store.h"

namespace cannula::ops {

// All names that a channel or destination has had (config::names_of).
using Names = std::vector<std::string>;

// When the channel's last message came, whatever became of it; nothing when it has none.
std::optional<store::Timestamp> last_received(const store::Store& store, const Names& channel);

// When the message came whose delivery waits longest for its turn at the destination; nothing when
// none waits. What is held by a person counts too.
std::optional<store::Timestamp> oldest_waiting(const store::Store& store, const Names& channel,
                                               const Names& destination);

}  // namespace cannula::ops
