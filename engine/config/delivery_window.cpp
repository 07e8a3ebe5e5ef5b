#include "engine/config/delivery_window.h"

#include <array>
#include <chrono>

namespace cannula::config {
namespace {

constexpr std::int64_t kMinute = 60'000'000;  // microseconds
constexpr int kMinutesOfDay = 24 * 60;
constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<int> minute_of_day(std::string_view text) {  // "05:00", "24:00"
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
    return std::nullopt;
  const int hour = (text[0] - '0') * 10 + (text[1] - '0');
  const int minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (minute > 59 || hour * 60 + minute > kMinutesOfDay) return std::nullopt;
  return hour * 60 + minute;
}

std::optional<int> day_of_week(std::string_view text) {
  const auto found = std::find(kDays.begin(), kDays.end(), text);
  if (found == kDays.end()) return std::nullopt;
  return static_cast<int>(found - kDays.begin());
}

// "mon-fri", "sat,sun", "fri-mon"
std::optional<std::uint8_t> days_of(std::string_view text) {
  std::uint8_t days = 0;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = std::min(part.find('-'), part.size());
    const auto first = day_of_week(part.substr(0, dash));
    const auto last = dash < part.size() ? day_of_week(part.substr(dash + 1)) : first;
    if (!first || !last) return std::nullopt;
    for (int day = *first;; day = (day + 1) % 7) {
      days = static_cast<std::uint8_t>(days | 1u << day);
      if (day == *last) break;
    }
    if (comma + 1 == text.size()) return std::nullopt;  // ends with a comma
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return days;
}

}  // namespace

std::optional<DeliveryWindow::Span> DeliveryWindow::parse_span(std::string_view text) {
  Span span;
  if (const std::size_t blank = text.find(' '); blank != std::string_view::npos) {
    const auto days = days_of(text.substr(0, blank));
    if (!days || *days == 0) return std::nullopt;
    span.days = *days;
    text.remove_prefix(blank + 1);
  }
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto begin = minute_of_day(text.substr(0, dash));
  const auto end = minute_of_day(text.substr(dash + 1));
  if (!begin || !end || *begin == kMinutesOfDay || *begin == *end) return std::nullopt;
  span.begin = *begin;
  span.end = *end > *begin ? *end : *end + kMinutesOfDay;
  return span;
}

Result<DeliveryWindow> DeliveryWindow::parse(const std::vector<std::string>& texts,
                                             const TimeZone& zone) {
  DeliveryWindow window(zone);
  for (const std::string& text : texts) {
    const auto span = parse_span(text);
    if (!span) {
      return Error{"C140", "\"" + text + "\" is not a time of day to deliver in",
                   "write \"22:00-05:00\", or \"mon-fri 18:00-06:00\" with the days it begins on",
                   std::nullopt};
    }
    window.spans_.push_back(*span);
  }
  return window;
}

bool DeliveryWindow::open_at(std::int64_t moment) const {
  using std::chrono::duration_cast;
  const std::int64_t local =
      moment + duration_cast<std::chrono::microseconds>(zone_.offset_at(moment)).count();
  const std::int64_t minutes = local / kMinute - (local % kMinute < 0 ? 1 : 0);
  const std::int64_t days = minutes / kMinutesOfDay - (minutes % kMinutesOfDay < 0 ? 1 : 0);
  const int minute = static_cast<int>(minutes - days * kMinutesOfDay);
  const int today = static_cast<int>(((days + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
  const int yesterday = (today + 6) % 7;
  return std::any_of(spans_.begin(), spans_.end(), [&](const Span& span) {
    const bool since_today =
        (span.days >> today & 1) != 0 && minute >= span.begin && minute < span.end;
    const bool since_yesterday =
        (span.days >> yesterday & 1) != 0 && minute + kMinutesOfDay < span.end;
    return since_today || since_yesterday;
  });
}

std::optional<std::int64_t> DeliveryWindow::next_change(std::int64_t moment) const {
  constexpr int kFarthest = 8 * kMinutesOfDay;
  const bool now = open_at(moment);
  std::int64_t minute = moment - moment % kMinute;
  for (int i = 0; i < kFarthest; ++i) {
    minute += kMinute;
    if (open_at(minute) != now) return minute;
  }
  return std::nullopt;
}

}  // namespace cannula::config
