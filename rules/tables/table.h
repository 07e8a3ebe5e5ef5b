// A mapping table: a CSV file that clinical staff keep in a spreadsheet, read whole, immutable, and
// looked up by the key columns in less than a microsecond.
//
//   code,text,loinc,display,unit,active_from,active_to
//   K,Kalium,2823-3,Potassium [Moles/volume] in Serum or Plasma,mmol/L,2026-01-01,
//
// The header row names the columns (letters, digits and _). The first column is the key unless the
// table's settings name others. `active_from` and `active_to`, where there are such columns, are
// the first and the last day of a row; outside of them it is not found, and a key may stand in
// several rows whose days do not overlap. Read is what spreadsheet programs write: RFC 4180
// quoting, CRLF, CR or LF, a byte order mark, comma, semicolon or tab as separator (told from the
// header row). The text must be UTF-8. Keys are compared without the blanks around them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/diagnostic.h"

namespace cannula::tables {

// What NAME.table.toml may add.
struct TableSettings {
  std::string description;
  std::vector<std::string> keys;      // columns; empty: the first
  bool ignore_case = false;           // of keys (ASCII letters)
  std::vector<std::string> required;  // columns that must not be empty in any row
};

class Table;

// One row of a table; valid while the table lives.
class Row {
 public:
  // The text of a column, without the blanks around it; empty where nothing stands; nullopt when
  // the table has no such column.
  std::optional<std::string_view> get(std::string_view column) const;
  std::string_view at(std::size_t column) const;  // column < table().columns().size()
  std::size_t line() const;                       // in the file, from 1
  const Table& table() const { return *table_; }

 private:
  friend class Table;
  Row(const Table& table, std::uint32_t number) : table_(&table), number_(number) {}
  const Table* table_;
  std::uint32_t number_;
};

// What stands between the parts of a key of several columns where it is one text (worklists,
// traces).
inline constexpr char kKeySeparator = '\x1f';

class Table {
 public:
  struct Read {
    std::shared_ptr<const Table> table;  // null when a finding is an error
    std::vector<Diagnostic> findings;    // all of them, in order of line (R1xx)
  };
  // Takes any bytes; never throws. The findings name file, line and column, in words for the person
  // who keeps the table.
  static Read read(std::string name, std::shared_ptr<const Source> csv, TableSettings settings);

  virtual ~Table() = default;
  virtual const std::string& name() const = 0;
  virtual const TableSettings& settings() const = 0;
  virtual std::span<const std::string> columns() const = 0;
  virtual std::span<const std::size_t> key_columns() const = 0;  // into columns()
  virtual std::size_t size() const = 0;                          // rows
  virtual Row row(std::size_t number) const = 0;                 // in order of the file

  // The row of a key that is active on that day (all threads; under 300 ns). `key` has a text for
  // each key column.
  virtual std::optional<Row> find(std::span<const std::string_view> key,
                                  std::chrono::sys_days day) const = 0;
  // The same of a key as one text, its parts joined by kKeySeparator.
  std::optional<Row> find(std::string_view joined_key, std::chrono::sys_days day) const;
};

}  // namespace cannula::tables
