// Rows of a table, many by one statement: to open a table and its indexes and to end a statement
// costs SQLite as much as to write a row.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "engine/store/sqlite.h"

namespace cannula::store {

struct Rows {
  std::string_view statement;  // up to and with VALUES
  int columns;                 // of one row
};

// For `rows` rows.
inline std::string statement_of(const Rows& what, std::size_t rows) {
  std::string row = "(?";
  for (int i = 1; i < what.columns; ++i) row += ",?";
  row += ')';
  std::string sql = std::string(what.statement) + row;
  for (std::size_t i = 1; i < rows; ++i) sql += ',' + row;
  return sql;
}

// Calls `bind(statement, before, row, kept)` for each of `rows`: it binds the parameters from
// before + 1 on. What they refer to and the row has not itself goes into `kept`.
template <class Row, class Bind>
Result<void> put_rows(Connection& connection, const Rows& what, std::span<const Row* const> rows,
                      Bind bind) {
  constexpr std::size_t kAtOnce = 16;
  const std::string many = rows.size() < kAtOnce ? std::string() : statement_of(what, kAtOnce);
  const std::string one = rows.size() % kAtOnce == 0 ? std::string() : statement_of(what, 1);
  std::deque<std::string> kept;
  while (!rows.empty()) {
    const std::size_t count = rows.size() < kAtOnce ? 1 : kAtOnce;
    Statement& put = *TRY(connection.prepared(count == 1 ? one : many));
    int before = 0;
    for (const Row* row : rows.first(count)) {
      TRY(bind(put, before, *row, kept));
      before += what.columns;
    }
    TRY(put.run());
    kept.clear();
    rows = rows.subspan(count);
  }
  return {};
}

}  // namespace cannula::store
