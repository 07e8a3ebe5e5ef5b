#include "rules/tables/spelling.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include "rules/tables/table.h"

namespace cannula::tables {
namespace {

constexpr std::size_t kLongestKey = 64;  // of letters and digits; longer keys are never near

// What two spellings of one code have in common: small letters and digits.
std::string skeleton(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80)) {
      out += c;
    }
  }
  return out;
}

// Levenshtein, given up (as limit + 1) once it must be above the limit.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > limit) return limit + 1;
  std::array<std::size_t, kLongestKey + 1> row;
  std::iota(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(b.size()) + 1, 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    std::size_t least = row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
      least = std::min(least, row[j]);
    }
    if (least > limit) return limit + 1;
  }
  return row[b.size()];
}

// 0 is the same but for case and punctuation; nullopt is not near.
std::optional<std::size_t> difference(std::string_view wanted, std::string_view other) {
  if (wanted.size() > kLongestKey || other.size() > kLongestKey) return std::nullopt;
  if (wanted == other) return 0;
  if (wanted.size() >= 2 && other.starts_with(wanted)) return 1;
  const std::size_t limit = wanted.size() <= 1 ? 0 : std::max<std::size_t>(1, wanted.size() / 3);
  const std::size_t found = distance(wanted, other, limit);
  if (found > limit) return std::nullopt;
  return found;
}

}  // namespace

std::vector<std::uint32_t> nearest_keys(const Table& table, std::span<const std::string_view> key,
                                        std::size_t limit) {
  std::vector<std::string> wanted;
  for (const std::string_view part : key) wanted.push_back(skeleton(part));

  std::vector<std::pair<std::size_t, std::uint32_t>> near;
  for (std::size_t number = 0; number < table.size(); ++number) {
    const Row row = table.row(number);
    std::size_t total = 0;
    bool is_near = true;
    for (std::size_t i = 0; i < wanted.size() && is_near; ++i) {
      const auto apart = difference(wanted[i], skeleton(row.at(table.key_columns()[i])));
      is_near = apart.has_value();
      if (is_near) total += *apart;
    }
    if (is_near) near.emplace_back(total, static_cast<std::uint32_t>(number));
  }
  std::sort(near.begin(), near.end());

  std::vector<std::uint32_t> numbers;
  std::set<std::vector<std::string_view>> seen;
  for (const auto& [apart, number] : near) {
    if (numbers.size() == limit) break;
    std::vector<std::string_view> parts;
    for (const std::size_t column : table.key_columns()) {
      parts.push_back(table.row(number).at(column));
    }
    if (seen.insert(std::move(parts)).second) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace cannula::tables
