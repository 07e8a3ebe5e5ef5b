// What a hostile or broken peer makes us write is bounded: so many entries a minute one by one, the
// rest counted and told once a minute.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/security/audit/entry.h"

namespace cannula::audit {

// Not thread-safe. `at`: microseconds since 1970; a clock that jumps ends the minute early.
class Flood {
 public:
  static constexpr std::size_t kOneByOne = 60;  // a minute
  static constexpr std::size_t kKinds = 32;     // of (act, channel, code) counted apart; then "…"

  // True: write it. False: it was counted.
  bool lets_through(const Entry& entry, std::int64_t at);
  // What was counted, when its minute is over (or `now`): an entry a kind.
  std::vector<Entry> counted(std::int64_t at, bool now = false);

 private:
  struct Kind {
    Entry first;
    std::uint64_t count = 0;
  };
  std::int64_t minute_ = 0;
  std::size_t let_through_ = 0;
  std::map<std::string, Kind> kinds_;
};

}  // namespace cannula::audit
