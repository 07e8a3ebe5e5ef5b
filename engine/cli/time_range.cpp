#include "engine/cli/time_range.h"

#include <nlohmann/json.hpp>

#include "engine/ops/moment.h"
#include "engine/ops/text.h"
#include "engine/pipeline/clock.h"

namespace cannula::cli {

void TimeRange::declare(Arguments& arguments, const std::string& what) {
  arguments.text("--since", "TIME", since, "Only " + what + " since then: " + kTimeForms + ".");
  arguments.text("--until", "TIME", until, "Only " + what + " before then.");
}

std::optional<TimeRange::Bounds> TimeRange::bounds(const Context& context) const {
  const auto both = [&]() -> Result<Bounds> {
    const store::Timestamp now = pipeline::now_microseconds();
    const Bounds bounds{TRY(ops::moment_of(since, now)), TRY(ops::moment_of(until, now))};
    TRY(ops::check_range(bounds.since, bounds.until));
    return bounds;
  };
  const auto bounds = both();
  if (bounds) return *bounds;
  print_error(context, bounds.error());
  return std::nullopt;
}

bool TimeRange::put_into(nlohmann::json& request, const Context& context) const {
  const auto between = bounds(context);
  if (!between) return false;
  if (between->since != 0) request["since"] = ops::time_text(between->since);
  if (between->until != 0) request["until"] = ops::time_text(between->until);
  return true;
}

}  // namespace cannula::cli
