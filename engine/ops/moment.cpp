#include "engine/ops/moment.h"

#include <algorithm>
#include <ctime>

#include "channels/transport/options.h"
#include "engine/ops/asked.h"
#include "engine/ops/text.h"
#include "parsers/hl7v2/date_time.h"

namespace cannula::ops {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// Of what a clock of this machine shows, given as if it were UTC.
std::int64_t from_local(std::int64_t wall_clock) {
  const std::time_t shown = static_cast<std::time_t>(wall_clock / kSecond);
  std::tm parts{};
  gmtime_r(&shown, &parts);
  parts.tm_isdst = -1;
  return static_cast<std::int64_t>(std::mktime(&parts)) * kSecond + wall_clock % kSecond;
}

}  // namespace

Result<store::Timestamp> moment_of(const std::string& text, store::Timestamp now) {
  if (text.empty()) return store::Timestamp{0};
  // Not before the first moment there is: 0 is no bound, and what is written is not negative.
  constexpr store::Timestamp kFirst = 1;
  if (const auto ago = parse_duration(text)) {
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(*ago);
    return std::max(now - microseconds.count(), kFirst);
  }
  std::string written = text;
  constexpr std::size_t kDate = std::string_view("2026-11-23").size();
  if (written.size() > kDate && written[kDate] == ' ') written[kDate] = 'T';
  const auto time = hl7v2::DateTime::parse(written);
  using Precision = hl7v2::DateTime::Precision;
  if (!time || time->precision < Precision::day || time->year < 1970) {
    return bad_request("\"" + text + "\" is not a time",
                       "such as 2h (ago), 2026-11-23, 2026-11-23T15:04 (local time) or "
                       "2026-11-23T15:04:05Z");
  }
  const std::int64_t moment = time->microseconds(TimeZone::utc());
  return std::max(time->offset ? moment : from_local(moment), kFirst);
}

Result<void> check_range(store::Timestamp since, store::Timestamp until) {
  if (since == 0 || until == 0 || since < until) return {};
  return bad_request("nothing lies between " + time_text(since) + " and " + time_text(until),
                     "the first of the two is the earlier, and the second is not included");
}

}  // namespace cannula::ops
