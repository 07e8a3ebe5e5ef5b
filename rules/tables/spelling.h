// Keys that are spelled nearly like another.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace cannula::tables {

class Table;

// Numbers of rows with different keys, the nearest first. Near are keys that differ by a few
// letters (at most a third), in upper and lower case, in blanks and punctuation, or that begin
// alike. `key` has a text for each key column. Looks at every row: for errors shown to people.
std::vector<std::uint32_t> nearest_keys(const Table& table, std::span<const std::string_view> key,
                                        std::size_t limit);

}  // namespace cannula::tables
