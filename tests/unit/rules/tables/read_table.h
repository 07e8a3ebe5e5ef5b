// Reads a table from a text, for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include "rules/tables/table.h"

namespace cannula::tables {

inline Table::Read read_table(std::string text, TableSettings settings = {}) {
  return Table::read("labs", std::make_shared<const Source>("tables/labs.csv", std::move(text)),
                     std::move(settings));
}

// The table of a text that has no errors.
inline std::shared_ptr<const Table> good_table(std::string text, TableSettings settings = {}) {
  Table::Read read = read_table(std::move(text), std::move(settings));
  EXPECT_TRUE(read.table) << render(read.findings);
  return read.table;
}

// All findings as they are printed.
inline std::string findings_of(std::string text, TableSettings settings = {}) {
  return render(read_table(std::move(text), std::move(settings)).findings);
}

inline std::chrono::sys_days day(int year, unsigned month, unsigned number) {
  return std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(number);
}

inline const std::chrono::sys_days kToday = day(2026, 6, 15);

// The text of a column in the row of a key; "(none)" when there is no such row.
inline std::string at(const Table& table, std::string_view key, std::string_view column,
                      std::chrono::sys_days when = kToday) {
  const auto row = table.find(key, when);
  return row ? std::string(row->get(column).value_or("(no column)")) : "(none)";
}

}  // namespace cannula::tables
