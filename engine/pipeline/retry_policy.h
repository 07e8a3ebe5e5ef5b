// What is done about a delivery that failed: the `on` table of [destination.retry].
#pragma once

#include <string>
#include <vector>

#include "channels/transport/transport.h"
#include "engine/config/site.h"

namespace cannula::pipeline {

// How a failed answer may be named in `on`, the most particular name first: what the other side
// said ("409", "AE"), the stable code ("T353"), the hundred of a status ("4xx"), and its class:
// "refused" (it read it and will not take it), "busy" (it answered that it should be tried again),
// "timeout" (no answer in time), "tls" (no trust in the other side, or of it in us) or "transport"
// (no connection, connection lost, or what answers does not let us in or is not what it should be).
std::vector<std::string> names_of(const Answer& answer);

// What `on` says, or else: dead when refused, retry otherwise.
config::RetryConfig::Act act_on(const config::RetryConfig& retry, const Answer& answer);

}  // namespace cannula::pipeline
