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

bool TimeRange::put_into(nlohmann::json& request, const Context& context) const {
  const auto put = [&]() -> Result<void> {
    const store::Timestamp now = pipeline::now_microseconds();
    const store::Timestamp from = TRY(ops::moment_of(since, now));
    const store::Timestamp to = TRY(ops::moment_of(until, now));
    TRY(ops::check_range(from, to));
    if (from != 0) request["since"] = ops::time_text(from);
    if (to != 0) request["until"] = ops::time_text(to);
    return {};
  };
  const auto done = put();
  if (!done) print_error(context, done.error());
  return static_cast<bool>(done);
}

}  // namespace cannula::cli
