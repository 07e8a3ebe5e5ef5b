// Days as tables give them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cannula::tables {

// "2026-01-31" (ISO 8601), a day that exists, of the years 0001 to 9999; nullopt for anything else.
std::optional<std::chrono::sys_days> parse_day(std::string_view text);

// Four digits, two and two with hyphens between them, whether there is such a day or not.
bool is_day_shaped(std::string_view text);

std::string day_text(std::chrono::sys_days day);

// What a person probably meant who wrote the day otherwise ("31.1.2026", "2026/01/31",
// "1/31/2026"), where that can mean one day only.
std::optional<std::chrono::sys_days> guess_day(std::string_view text);

}  // namespace cannula::tables
