// What a message that has not ended waits for.
#pragma once

#include <string>
#include <vector>

#include "engine/store/store.h"

namespace cannula::pipeline {
class Engine;
}

namespace cannula::ops {

// In sentences for the person who asks, each with what to do next; none when it waits for nothing
// but its turn. `engine` is null when none runs.
std::vector<std::string> what_it_waits_for(const store::Store& store,
                                           const pipeline::Engine* engine,
                                           const store::MessageRow& message,
                                           const std::vector<store::DeliveryRow>& deliveries);

}  // namespace cannula::ops
