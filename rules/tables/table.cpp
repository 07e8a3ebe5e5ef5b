#include "rules/tables/table.h"

#include <algorithm>

#include "rules/tables/spelling.h"

namespace cannula::tables {

std::optional<std::string_view> Row::get(std::string_view column) const {
  const auto columns = table_->columns();
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) return std::nullopt;
  return at(static_cast<std::size_t>(found - columns.begin()));
}

std::string_view Row::at(std::size_t column) const {
  return table_->cell(number_, column);
}

std::size_t Row::line() const {
  return table_->line_of(number_);
}

std::optional<std::chrono::sys_days> Row::active_from() const {
  return table_->period_of(number_).from;
}

std::optional<std::chrono::sys_days> Row::active_to() const {
  return table_->period_of(number_).to;
}

std::optional<Row> Table::find(std::string_view joined_key, std::chrono::sys_days day) const {
  std::array<std::string_view, kMostKeyColumns> parts;
  std::size_t count = 0;
  for (;;) {
    if (count == parts.size()) return std::nullopt;
    const std::size_t end = std::min(joined_key.find(kKeySeparator), joined_key.size());
    parts[count++] = joined_key.substr(0, end);
    if (end == joined_key.size()) break;
    joined_key.remove_prefix(end + 1);
  }
  return find(std::span(parts.data(), count), day);
}

std::vector<Row> Table::nearest(std::span<const std::string_view> key, std::size_t limit) const {
  std::vector<Row> rows;
  if (key.size() != key_columns().size()) return rows;
  for (const std::uint32_t number : nearest_keys(*this, key, limit)) {
    rows.push_back(make_row(number));
  }
  return rows;
}

}  // namespace cannula::tables
