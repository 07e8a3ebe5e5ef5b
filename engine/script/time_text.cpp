#include "engine/script/time_text.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "parsers/hl7v2/date_time.h"

namespace cannula::script {

namespace {

constexpr std::int64_t kMinute = 60'000'000;

struct Moment {
  int year, month, day, hour, minute, second, microsecond;
};

Moment split(std::int64_t microseconds) {
  using namespace std::chrono;
  const sys_time<std::chrono::microseconds> time{std::chrono::microseconds(microseconds)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

void append_padded(std::string& out, int value, int width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < static_cast<std::size_t>(width)) {
    out.append(static_cast<std::size_t>(width) - digits.size(), '0');
  }
  out += digits;
}

void append_offset(std::string& out, int offset, bool colon) {
  out += offset < 0 ? '-' : '+';
  append_padded(out, std::abs(offset) / 60, 2);
  if (colon) out += ':';
  append_padded(out, std::abs(offset) % 60, 2);
}

Error wrong(std::string message) {
  return {"L224",
          std::move(message),
          "a time is written as 20260115093042+0100 or 2026-01-15T09:30:42+01:00",
          {}};
}

}  // namespace

// By hand: each line of a trace has a time, and snprintf would be most of the line's cost.
void append_iso_time(std::string& out, std::int64_t microseconds) {
  const Moment moment = split(microseconds);
  const bool usual = moment.year >= 0 && moment.year <= 9999;
  if (!usual) out += std::to_string(moment.year);
  char text[] = "0000-00-00T00:00:00.000000Z";
  const auto put = [&](std::size_t at, int number) {  // two digits
    text[at] = static_cast<char>('0' + number / 10);
    text[at + 1] = static_cast<char>('0' + number % 10);
  };
  put(0, usual ? moment.year / 100 : 0);
  put(2, usual ? moment.year % 100 : 0);
  put(5, moment.month);
  put(8, moment.day);
  put(11, moment.hour);
  put(14, moment.minute);
  put(17, moment.second);
  put(20, moment.microsecond / 10'000);
  put(22, moment.microsecond / 100 % 100);
  put(24, moment.microsecond % 100);
  out += std::string_view(text, sizeof(text) - 1).substr(usual ? 0 : 4);
}

std::string iso_time(std::int64_t microseconds) {
  std::string text;
  append_iso_time(text, microseconds);
  return text;
}

Result<std::string> format_time(std::int64_t microseconds, std::string_view format,
                                const TimeZone& zone) {
  const int offset = static_cast<int>(zone.offset_at(microseconds).count());
  const Moment moment = split(microseconds + offset * kMinute);
  std::string out;
  for (std::size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      out += format[at];
      continue;
    }
    const char letter = ++at < format.size() ? format[at] : '\0';
    switch (letter) {
      case 'Y':
        append_padded(out, moment.year, 4);
        break;
      case 'm':
        append_padded(out, moment.month, 2);
        break;
      case 'd':
        append_padded(out, moment.day, 2);
        break;
      case 'H':
        append_padded(out, moment.hour, 2);
        break;
      case 'M':
        append_padded(out, moment.minute, 2);
        break;
      case 'S':
        append_padded(out, moment.second, 2);
        break;
      case 'L':
        append_padded(out, moment.microsecond / 1000, 3);
        break;
      case 'f':
        append_padded(out, moment.microsecond, 6);
        break;
      case 'z':
        append_offset(out, offset, false);
        break;
      case 'Z':
        append_offset(out, offset, true);
        break;
      case '%':
        out += '%';
        break;
      default:
        return Error{"L224",
                     "a time format knows %Y %m %d %H %M %S %L %f %z %Z and %%, not %" +
                         std::string(letter != 0 ? 1 : 0, letter),
                     "",
                     {}};
    }
  }
  return out;
}

Result<std::int64_t> parse_time(std::string_view text, const TimeZone& zone) {
  const auto time = hl7v2::DateTime::parse(text);
  if (!time) return wrong(time.error().message);
  return time->microseconds(zone);
}

}  // namespace cannula::script
