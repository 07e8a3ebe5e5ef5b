#include "parsers/text/time_zone.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include <date/tz.h>

#include "parsers/text/diagnostic.h"

namespace cannula {

namespace {

using std::chrono::microseconds;
using std::chrono::minutes;

// The zone files list each change up to 2037; behind that the library goes on with the last one.
// The calendar repeats every 28 years, so a later moment is looked up in a year before that.
constexpr std::int64_t kLastListed = 2'145'916'800;              // 2038-01-01
constexpr std::int64_t kCycle = (28 * 365 + 7) * 86'400LL;       // 28 years with 7 leap days
constexpr std::int64_t kFirstListed = -10'000LL * 366 * 86'400;  // far before any change
constexpr const char* kForms =
    "write an IANA name such as \"Europe/Vienna\" or \"America/New_York\", \"UTC\", or a fixed "
    "offset such as \"+01:00\"";

std::int64_t listed_second(std::int64_t moment) {
  const auto second = std::chrono::floor<std::chrono::seconds>(microseconds(moment)).count();
  if (second < kLastListed) return std::max(second, kFirstListed);
  return second - ((second - kLastListed) / kCycle + 1) * kCycle;
}

// Local mean times of the 19th century have seconds.
minutes whole_minutes(std::chrono::seconds offset) {
  return std::chrono::round<minutes>(offset);
}

bool same_letters(std::string_view left, std::string_view right) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char one, char other) { return lower(one) == lower(other); });
}

// "vienna" and "Vienna" are meant as "Europe/Vienna", more likely than as a slip of the keys.
std::optional<std::string> meant_zone(std::string_view name, const date::tzdb& zones) {
  std::vector<std::string_view> names;
  for (const date::time_zone& zone : zones.zones) {
    const std::string_view candidate = zone.name();
    const std::string_view city = candidate.substr(candidate.rfind('/') + 1);
    if (same_letters(candidate, name) || same_letters(city, name)) return zone.name();
    names.push_back(candidate);
  }
  return nearest(name, names);
}

Error unknown_zone(std::string_view name, const date::tzdb& zones) {
  std::string message = "there is no time zone '" + std::string(name.substr(0, 60)) + "'";
  if (const auto meant = meant_zone(name, zones)) message += " (did you mean '" + *meant + "'?)";
  return {"D101", std::move(message), kForms};
}

// All changes of a zone up to kLastListed: the library works each answer out anew, names and all.
class ZoneChanges {
 public:
  explicit ZoneChanges(const date::time_zone& zone) {
    date::sys_seconds at{std::chrono::seconds(kFirstListed)};
    std::chrono::seconds before{0};
    for (;;) {
      const date::sys_info info = zone.get_info(at);
      if (changes_.empty() || info.offset != before) {
        const std::int64_t moment = changes_.empty() ? INT64_MIN : at.time_since_epoch().count();
        changes_.push_back({moment,
                            changes_.empty() ? INT64_MIN : begin_at_local(moment, before, info),
                            whole_minutes(info.offset)});
        before = info.offset;
      }
      if (info.end.time_since_epoch().count() >= kLastListed) return;
      at = info.end;
    }
  }

  minutes at(std::int64_t second) const { return find(second, &Change::moment); }
  minutes at_local(std::int64_t second) const { return find(second, &Change::wall_clock); }

 private:
  struct Change {
    std::int64_t moment;      // seconds since 1970-01-01 UTC; that it begins to hold
    std::int64_t wall_clock;  // the same as a local time from which on it is meant
    minutes offset;
  };

  // An hour that is left out belongs to the offset before it, an hour that is repeated as well: the
  // change is behind either.
  static std::int64_t begin_at_local(std::int64_t moment, std::chrono::seconds before,
                                     const date::sys_info& info) {
    return moment + std::max(before, info.offset).count();
  }

  minutes find(std::int64_t second, std::int64_t Change::*begin) const {
    const auto later = std::upper_bound(
        changes_.begin(), changes_.end(), second,
        [begin](std::int64_t wanted, const Change& change) { return wanted < change.*begin; });
    return std::prev(later)->offset;  // the first begins before everything
  }

  std::vector<Change> changes_;
};

// Null when there is no zone of that name. Throws when the system's zones cannot be read.
const ZoneChanges* changes_of(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, const ZoneChanges, std::less<>> known;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(name); found != known.end()) return &found->second;
  const date::tzdb& zones = date::get_tzdb();
  const auto zone = std::lower_bound(
      zones.zones.begin(), zones.zones.end(), name,
      [](const date::time_zone& one, const std::string& wanted) { return one.name() < wanted; });
  if (zone == zones.zones.end() || zone->name() != name) return nullptr;
  return &known.try_emplace(name, *zone).first->second;
}

}  // namespace

std::optional<minutes> parse_offset(std::string_view text) {
  if (text == "Z") return minutes(0);
  if (text.size() != 5 && text.size() != 6) return std::nullopt;
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  if (text.size() == 6 && text[3] != ':') return std::nullopt;
  const auto two_digits = [text](std::size_t at) {
    const bool digits =
        text[at] >= '0' && text[at] <= '9' && text[at + 1] >= '0' && text[at + 1] <= '9';
    return digits ? (text[at] - '0') * 10 + text[at + 1] - '0' : 99;
  };
  const int hours = two_digits(1);
  const int rest = two_digits(text.size() - 2);
  if (hours > 18 || rest > 59) return std::nullopt;
  return minutes((text[0] == '-' ? -1 : 1) * (hours * 60 + rest));
}

Result<TimeZone> TimeZone::find(std::string_view name) {
  if (const auto offset = parse_offset(name)) return TimeZone(std::string(name), nullptr, *offset);
  if (name == "UTC") return utc();
  try {
    const ZoneChanges* const changes = changes_of(std::string(name));
    if (changes == nullptr) return unknown_zone(name, date::get_tzdb());
    return TimeZone(std::string(name), changes, minutes(0));
  } catch (const std::exception& failure) {
    return Error{
        "D102", std::string("the system's time zones cannot be read: ") + failure.what(),
        "install the package tzdata (it fills /usr/share/zoneinfo), or use a fixed offset"};
  }
}

TimeZone TimeZone::utc() {
  return TimeZone("UTC", nullptr, minutes(0));
}

minutes TimeZone::offset_at(std::int64_t moment) const {
  if (zone_ == nullptr) return fixed_;
  return static_cast<const ZoneChanges*>(zone_)->at(listed_second(moment));
}

minutes TimeZone::offset_at_local(std::int64_t wall_clock) const {
  if (zone_ == nullptr) return fixed_;
  return static_cast<const ZoneChanges*>(zone_)->at_local(listed_second(wall_clock));
}

}  // namespace cannula
