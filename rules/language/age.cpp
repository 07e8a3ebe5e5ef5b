#include "rules/language/age.h"

namespace cannula::rules {
namespace {

using Precision = facts::Moment::Precision;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kHour = 3'600'000'000;

year_month_day first_day(const facts::Moment& moment) {
  return moment.local_day;
}

year_month_day last_day(const facts::Moment& moment) {
  const auto& day = moment.local_day;
  if (moment.precision == Precision::year) return day.year() / std::chrono::December / 31;
  if (moment.precision == Precision::month)
    return year_month_day(day.year() / day.month() / std::chrono::last);
  return day;
}

std::int64_t completed_months(year_month_day from, year_month_day to) {
  const auto months = [](year_month_day day) {
    return std::int64_t{static_cast<int>(day.year())} * 12 + static_cast<unsigned>(day.month());
  };
  return months(to) - months(from) - (to.day() < from.day() ? 1 : 0);
}

std::int64_t completed(year_month_day from, year_month_day to, AgeUnit unit) {
  const std::int64_t days = (sys_days(to) - sys_days(from)).count();
  const auto divided = [](std::int64_t count, std::int64_t by) {
    return count >= 0 ? count / by : -1;
  };
  switch (unit) {
    case AgeUnit::years:
      return divided(completed_months(from, to), 12);
    case AgeUnit::months:
      return divided(completed_months(from, to), 1);
    case AgeUnit::weeks:
      return divided(days, 7);
    case AgeUnit::days:
    case AgeUnit::hours:
      return divided(days, 1);
  }
  return -1;
}

// How long the time that a moment can mean lasts.
std::int64_t width(const facts::Moment& moment) {
  switch (moment.precision) {
    case Precision::year:
    case Precision::month:
      return (sys_days(last_day(moment)) - sys_days(first_day(moment)) + std::chrono::days(1))
                 .count() *
             24 * kHour;
    case Precision::day:
      return 24 * kHour;
    case Precision::hour:
      return kHour;
    default:
      return 60'000'000;
  }
}

std::optional<AgeRange> hours_at(const facts::Moment& born, const facts::Moment& seen) {
  const std::int64_t longest = seen.microseconds + width(seen) - 1 - born.microseconds;
  const std::int64_t shortest = seen.microseconds - (born.microseconds + width(born) - 1);
  if (longest < 0) return std::nullopt;
  return AgeRange{std::max<std::int64_t>(shortest, 0) / kHour, longest / kHour};
}

}  // namespace

std::optional<AgeRange> age_at(const facts::Moment& born, const facts::Moment& seen, AgeUnit unit) {
  const bool exact = born.precision >= Precision::minute && seen.precision >= Precision::minute;
  if (exact && unit == AgeUnit::hours) {
    const std::int64_t elapsed = seen.microseconds - born.microseconds;
    if (elapsed < 0) return std::nullopt;
    return AgeRange{elapsed / kHour, elapsed / kHour};
  }
  if (unit == AgeUnit::hours) return hours_at(born, seen);
  AgeRange range;
  range.low = completed(last_day(born), first_day(seen), unit);
  range.high = completed(first_day(born), last_day(seen), unit);
  if (range.high < 0) return std::nullopt;
  range.low = std::max<std::int64_t>(range.low, 0);
  return range;
}

}  // namespace cannula::rules
