// Time zones by their IANA names, from the system's zone files: what turns a time without an
// offset, as laboratories send it, into a moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula {

// East of UTC: of "Z", "+0100" or "+01:00", up to 18 hours; nullopt for anything else.
std::optional<std::chrono::minutes> parse_offset(std::string_view text);

// A small value, shared between threads. Takes its rules from the system's tzdata, read once, at
// the first use of each zone.
class TimeZone {
 public:
  // "Europe/Vienna", "UTC", or a fixed offset "+01:00", "-0500". Fails (D101) with the nearest name
  // when there is none of that name, or (D102) when the system has no zone files.
  static Result<TimeZone> find(std::string_view name);
  static TimeZone utc();

  const std::string& name() const { return name_; }
  // East of UTC, at a moment given in microseconds since 1970-01-01 UTC.
  std::chrono::minutes offset_at(std::int64_t moment) const;
  // East of UTC, at a local wall clock time given as if it were UTC. In the hour that a change to
  // winter repeats, the first of the two; in the hour that a change to summer leaves out, the
  // offset before it.
  std::chrono::minutes offset_at_local(std::int64_t wall_clock) const;

 private:
  TimeZone(std::string name, const void* zone, std::chrono::minutes fixed)
      : name_(std::move(name)), zone_(zone), fixed_(fixed) {}
  std::string name_;
  const void* zone_;  // its changes, of static storage; null: fixed_
  std::chrono::minutes fixed_;
};

}  // namespace cannula
