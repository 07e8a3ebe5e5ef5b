#include "parsers/hl7v2/date_time.h"

#include <array>

#include <fmt/format.h>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Error wrong(std::string what) {
  return {"H501", std::move(what),
          "a time is YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]], with +ZZZZ or -ZZZZ behind it", std::nullopt};
}

// Takes a number of `digits` digits off the front; nullopt when they are not there.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

struct Part {
  int DateTime::*value;
  DateTime::Precision precision;
  char before;  // in ISO 8601
  std::string_view name;
  int lowest;
  int highest;
};

constexpr std::array kParts = {
    Part{&DateTime::month, DateTime::Precision::month, '-', "month", 1, 12},
    Part{&DateTime::day, DateTime::Precision::day, '-', "day", 1, 31},
    Part{&DateTime::hour, DateTime::Precision::hour, 'T', "hour", 0, 23},
    Part{&DateTime::minute, DateTime::Precision::minute, ':', "minute", 0, 59},
    Part{&DateTime::second, DateTime::Precision::second, ':', "second", 0, 59},
};

// 1961-05-… is ISO 8601, but 1961-0500 is a year with an offset.
bool looks_like_iso(std::string_view text) {
  return text.size() > 4 && text[4] == '-' &&
         (text.size() == 7 || (text.size() > 7 && text[7] == '-'));
}

}  // namespace

Result<DateTime> DateTime::parse(std::string_view text) {
  text = trimmed(text);
  const bool iso = looks_like_iso(text);
  DateTime time;
  const auto year = take_number(text, 4);
  if (!year) return wrong("a time begins with a year of four digits");
  time.year = *year;
  for (const Part& part : kParts) {
    if (iso) {
      if (text.empty() || (text[0] != part.before && !(part.before == 'T' && text[0] == ' ')))
        break;
      text.remove_prefix(1);
    } else if (text.empty() || !is_digit(text[0])) {
      break;
    }
    const auto value = take_number(text, 2);
    if (!value || *value < part.lowest || *value > part.highest) {
      return wrong(fmt::format("the {} of the time is not a number from {} to {}", part.name,
                               part.lowest, part.highest));
    }
    time.*part.value = *value;
    time.precision = part.precision;
  }
  const std::chrono::year_month_day date{std::chrono::year(time.year),
                                         std::chrono::month(static_cast<unsigned>(time.month)),
                                         std::chrono::day(static_cast<unsigned>(time.day))};
  if (!date.ok()) return wrong("there is no such day");
  if (time.precision == Precision::second && !text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    std::size_t size = 0;
    while (size < text.size() && is_digit(text[size])) ++size;
    time.fraction = text.substr(0, size);
    text.remove_prefix(size);
  }
  if (text.empty()) return time;
  time.offset = parse_offset(text);
  if (!time.offset) return wrong("the time ends with something that is not an offset from UTC");
  time.unknown_local = time.offset->count() == 0 && text[0] == '-';
  return time;
}

Result<DateTime> DateTime::parse(std::string_view text, std::string_view degree_of_precision) {
  DateTime time = TRY(parse(text));
  constexpr std::string_view kDegrees = "YLDHMS";
  const std::string_view degree = trimmed(degree_of_precision);
  const std::size_t at = degree.size() == 1 ? kDegrees.find(degree[0]) : std::string_view::npos;
  if (at == std::string_view::npos || at >= static_cast<std::size_t>(time.precision)) return time;
  time.precision = static_cast<Precision>(at);
  for (const Part& part : kParts) {
    if (part.precision > time.precision) time.*part.value = part.lowest;
  }
  time.fraction.clear();
  return time;
}

std::string DateTime::text() const {
  std::string out = fmt::format("{:04}", year);
  for (const Part& part : kParts) {
    if (part.precision <= precision) out += fmt::format("{:02}", this->*part.value);
  }
  if (!fraction.empty()) out += "." + fraction;
  if (!offset) return out;
  const auto minutes = offset->count();
  const auto size = minutes < 0 ? -minutes : minutes;
  return out + fmt::format("{}{:02}{:02}", minutes < 0 || unknown_local ? '-' : '+', size / 60,
                           size % 60);
}

std::string DateTime::iso_date() const {
  std::string out;
  const auto add = [&out](int number) {
    out += {static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
  };
  add(year / 100);
  add(year % 100);
  if (precision < Precision::month) return out;
  out += '-';
  add(month);
  if (precision < Precision::day) return out;
  out += '-';
  add(day);
  return out;
}

std::int64_t DateTime::clock_seconds() const {
  using namespace std::chrono;
  const sys_days date = std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) /
                        std::chrono::day(static_cast<unsigned>(day));
  return date.time_since_epoch() / 1s + hour * 3600LL + minute * 60LL + second;
}

std::int64_t DateTime::microseconds(const TimeZone& zone) const {
  constexpr std::int64_t kSecond = 1'000'000;
  std::int64_t rest = 0;
  std::int64_t unit = kSecond;
  for (const char digit : fraction) {
    unit /= 10;
    rest += unit * (digit - '0');
  }
  const std::int64_t clock = clock_seconds() * kSecond + rest;
  const auto from_utc = offset ? *offset : zone.offset_at_local(clock);
  return clock - from_utc.count() * 60 * kSecond;
}

std::optional<std::chrono::minutes> default_offset(const Message& message) {
  const auto time = DateTime::parse(message.get(Place{0, 7, 1, 1, 0}).value_or(""));
  return time ? time->offset : std::nullopt;
}

std::string_view name_of(DateTime::Precision precision) {
  constexpr std::array<std::string_view, 6> kNames = {"year", "month",  "day",
                                                      "hour", "minute", "second"};
  return kNames[static_cast<std::size_t>(precision)];
}

}  // namespace cannula::hl7v2
