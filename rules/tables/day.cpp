#include "rules/tables/day.h"

#include <algorithm>

#include <fmt/format.h>

namespace cannula::tables {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<std::chrono::sys_days> day_of(unsigned year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (year == 0 || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

unsigned number_of(std::string_view digits) {
  unsigned number = 0;
  for (const char c : digits) number = number * 10 + static_cast<unsigned>(c - '0');
  return number;
}

}  // namespace

bool is_day_shaped(std::string_view text) {
  constexpr std::size_t kDigits[] = {0, 1, 2, 3, 5, 6, 8, 9};
  return text.size() == 10 && text[4] == '-' && text[7] == '-' &&
         std::all_of(std::begin(kDigits), std::end(kDigits),
                     [&](std::size_t at) { return is_digit(text[at]); });
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  if (!is_day_shaped(text)) return std::nullopt;
  return day_of(number_of(text.substr(0, 4)), number_of(text.substr(5, 2)),
                number_of(text.substr(8, 2)));
}

std::string day_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::optional<std::chrono::sys_days> guess_day(std::string_view text) {
  std::string_view parts[3];
  std::size_t count = 0;
  char mark = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && is_digit(text[i])) continue;
    if (count == 3 || i == begin || i - begin > 4) return std::nullopt;
    if (i < text.size() && mark != 0 && text[i] != mark) return std::nullopt;
    if (i < text.size()) mark = text[i];
    parts[count++] = text.substr(begin, i - begin);
    begin = i + 1;
  }
  if (count != 3 || (mark != '.' && mark != '/' && mark != '-')) return std::nullopt;
  const unsigned a = number_of(parts[0]), b = number_of(parts[1]), c = number_of(parts[2]);
  if (parts[0].size() == 4) return day_of(a, b, c);
  if (parts[2].size() != 4) return std::nullopt;
  if (mark == '.') return day_of(c, b, a);
  // Day and month stand either way round, depending on the country.
  const auto month_first = day_of(c, a, b), day_first = day_of(c, b, a);
  if (month_first && day_first && *month_first != *day_first) return std::nullopt;
  return month_first ? month_first : day_first;
}

}  // namespace cannula::tables
