// When a destination may be delivered to: "22:00-05:00", "mon-fri 18:00-06:00", "sat,sun
// 00:00-24:00", in the local time of a zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"
#include "parsers/text/time_zone.h"

namespace cannula::config {

// A value; thread-safe. Judged by what a clock on the wall shows there: where summer time leaves
// out the hour a window begins in, it begins with the first minute after it; where an hour comes
// twice, it is open both times.
class DeliveryWindow {
 public:
  // Each text is one span, open from its first minute until before its second; a span whose end is
  // not after its begin ends on the next day. Days are those on which a span begins; without them,
  // every day. The error (C140) names the text and says what it should look like.
  static Result<DeliveryWindow> parse(const std::vector<std::string>& texts, const TimeZone& zone);

  // `moment` in microseconds since 1970-01-01 UTC.
  bool open_at(std::int64_t moment) const;
  // The first whole minute after `moment` when it opens (it is closed) or closes (it is open);
  // nothing when that is more than eight days away.
  std::optional<std::int64_t> next_change(std::int64_t moment) const;

 private:
  struct Span {
    std::uint8_t days = 0x7F;  // bit 0: Monday
    int begin = 0, end = 0;    // minutes of the day; end over 1440: of the next day
  };
  explicit DeliveryWindow(TimeZone zone) : zone_(std::move(zone)) {}
  static std::optional<Span> parse_span(std::string_view text);

  TimeZone zone_;
  std::vector<Span> spans_;
};

}  // namespace cannula::config
