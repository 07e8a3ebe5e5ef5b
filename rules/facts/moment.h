// Times of HL7 v2 as moments.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "rules/facts/facts.h"

namespace cannula::facts {

// Minutes east of UTC at a wall clock time given as if it were UTC, in microseconds.
using OffsetOf = std::function<std::chrono::minutes(std::int64_t wall_clock)>;

// YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-ZZZZ] (HL7 v2 2.A.22); `offset_of` says the offset of a time
// that carries none. nullopt for anything else, and for days that are not in the calendar.
std::optional<Moment> read_moment(std::string_view text, const OffsetOf& offset_of);

}  // namespace cannula::facts
