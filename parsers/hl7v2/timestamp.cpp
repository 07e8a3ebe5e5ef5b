#include "parsers/hl7v2/timestamp.h"

#include <algorithm>
#include <chrono>

namespace cannula::hl7v2 {
namespace {

void put(char*& at, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  at += digits;
}

}  // namespace

std::string format_timestamp(std::int64_t microseconds) {
  using namespace std::chrono;
  constexpr std::int64_t kFirst = -62135596800000000;  // 0001-01-01
  constexpr std::int64_t kLast = 253402300799999999;   // 9999-12-31 23:59:59.999999
  const sys_time<std::chrono::microseconds> time{
      std::chrono::microseconds(std::clamp(microseconds, kFirst, kLast))};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> clock(floor<milliseconds>(time - day));

  char text[] = "YYYYMMDDHHMMSS.SSS+0000";
  char* at = text;
  put(at, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put(at, static_cast<unsigned>(date.month()), 2);
  put(at, static_cast<unsigned>(date.day()), 2);
  put(at, static_cast<unsigned>(clock.hours().count()), 2);
  put(at, static_cast<unsigned>(clock.minutes().count()), 2);
  put(at, static_cast<unsigned>(clock.seconds().count()), 2);
  ++at;
  put(at, static_cast<unsigned>(clock.subseconds().count()), 3);
  return text;
}

}  // namespace cannula::hl7v2
