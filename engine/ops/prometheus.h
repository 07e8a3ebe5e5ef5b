// The engine's metrics in Prometheus' text format 0.0.4, each with a HELP line that says what it
// counts.
#pragma once

#include <string>

namespace cannula::pipeline {
class Engine;
}

namespace cannula::ops {

// Any thread; costs one look at the store's counters.
std::string prometheus_page(const pipeline::Engine& engine);

// docs/reference/metrics.md.
std::string metrics_reference_page();

}  // namespace cannula::ops
