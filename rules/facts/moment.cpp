#include "rules/facts/moment.h"

#include <array>

namespace cannula::facts {
namespace {

using Precision = Moment::Precision;

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int number(std::string_view digits) {
  int value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  return value;
}

std::size_t offset_at(std::string_view text) {
  return std::min(text.find_first_of("+-"), text.size());
}

// Microseconds of ".123456…"; nullopt when it is none.
std::optional<std::int64_t> fraction(std::string_view text) {
  text.remove_prefix(1);
  if (text.empty() || !all_digits(text)) return std::nullopt;
  std::int64_t value = 0;
  for (std::size_t digit = 0; digit < 6; ++digit) {
    value = value * 10 + (digit < text.size() ? text[digit] - '0' : 0);
  }
  return value;
}

// The offset at the end of a time, if it carries one.
std::optional<std::chrono::minutes> offset_in(std::string_view text) {
  const std::size_t at = offset_at(text);
  const std::string_view offset = text.substr(at);
  if (offset.size() != 5 || !all_digits(offset.substr(1))) return std::nullopt;
  const int hours = number(offset.substr(1, 2));
  const int minutes = number(offset.substr(3, 2));
  if (hours > 14 || minutes > 59) return std::nullopt;
  const int total = hours * 60 + minutes;
  return std::chrono::minutes(offset.front() == '-' ? -total : total);
}

}  // namespace

std::optional<Moment> read_moment(std::string_view text, const OffsetOf& offset_of) {
  const std::size_t offset_begin = offset_at(text);
  const auto offset = offset_in(text);
  if (offset_begin < text.size() && !offset) return std::nullopt;
  std::string_view digits = text.substr(0, offset_begin);

  Moment moment;
  std::int64_t microseconds = 0;
  const std::size_t point = digits.find('.');
  if (point != std::string_view::npos) {
    const auto part = point == 14 ? fraction(digits.substr(point)) : std::nullopt;
    if (!part) return std::nullopt;
    microseconds = *part;
    digits = digits.substr(0, point);
  }
  if (digits.size() < 4 || digits.size() > 14 || digits.size() % 2 != 0 || !all_digits(digits))
    return std::nullopt;

  // Year, month, day, hour, minute, second; what is not written is its first.
  std::array<int, 6> parts{number(digits.substr(0, 4)), 1, 1, 0, 0, 0};
  std::size_t written = 1;
  for (std::size_t at = 4; at < digits.size(); at += 2) {
    parts[written++] = number(digits.substr(at, 2));
  }
  moment.precision =
      point != std::string_view::npos ? Precision::fraction : static_cast<Precision>(written - 1);
  moment.local_day = std::chrono::year(parts[0]) / std::chrono::month(unsigned(parts[1])) /
                     std::chrono::day(unsigned(parts[2]));
  if (!moment.local_day.ok() || parts[0] == 0 || parts[3] > 23 || parts[4] > 59 || parts[5] > 60)
    return std::nullopt;

  const std::int64_t days = std::chrono::sys_days(moment.local_day).time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5];
  const std::int64_t wall_clock = seconds * 1'000'000 + microseconds;
  const std::chrono::microseconds east = offset ? *offset : offset_of(wall_clock);
  moment.microseconds = wall_clock - east.count();
  return moment;
}

}  // namespace cannula::facts
