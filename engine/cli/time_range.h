// --since and --until, of every verb that takes a range of time: all of them take the same forms.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/cli/verb.h"
#include "engine/store/record.h"

namespace cannula::cli {

struct TimeRange {
  std::string since, until;  // as typed: engine/ops/moment.h
  struct Bounds {            // 0: none
    store::Timestamp since = 0, until = 0;
  };

  // `what` is what has a time: "what was received", "what came into its state".
  void declare(Arguments& arguments, const std::string& what);
  bool given() const { return !since.empty() || !until.empty(); }

  // Local times are those of who types them, and not of an engine that may run with another time
  // zone. Nothing when one is no time, or nothing lies between them: it has been printed, and the
  // verb ends with kUsage.
  std::optional<Bounds> bounds(const Context& context) const;
  // The same as "since" and "until" of a request; false for nothing.
  bool put_into(nlohmann::json& request, const Context& context) const;
};

// How times are typed, for descriptions of options.
inline constexpr const char* kTimeForms =
    "2h (ago), 2026-11-23 or 2026-11-23T15:04 (local time), 2026-11-23T15:04:05Z";

}  // namespace cannula::cli
