// --since and --until, of every verb that takes a range of time.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/cli/verb.h"

namespace cannula::cli {

struct TimeRange {
  std::string since, until;  // as typed: engine/ops/moment.h

  // `what` is what has a time: "what was received", "what came into its state".
  void declare(Arguments& arguments, const std::string& what);
  bool given() const { return !since.empty() || !until.empty(); }

  // Puts "since" and "until" into a request. Local times are those of who types them, and not of
  // an engine that may run with another time zone. False when one is no time, or nothing lies
  // between them: it has been printed, and the verb ends with kUsage.
  bool put_into(nlohmann::json& request, const Context& context) const;
};

// How times are typed, for descriptions of options.
inline constexpr const char* kTimeForms =
    "2h (ago), 2026-11-23 or 2026-11-23T15:04 (local time), 2026-11-23T15:04:05Z";

}  // namespace cannula::cli
