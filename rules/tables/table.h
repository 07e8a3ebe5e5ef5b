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
// header row, or from a line `sep=;` above it), empty rows and columns behind the table. The text
// must be UTF-8. Keys are compared without the blanks around them. A table has up to 256 MB of
// text.
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
  std::string description = {};
  std::vector<std::string> keys = {};      // columns; empty: the first
  bool ignore_case = false;                // of keys (ASCII letters)
  std::vector<std::string> required = {};  // columns that must not be empty in any row
  // Columns whose cells, unless empty, are LOINC codes. Nullopt: the column `loinc`, if there is
  // one.
  std::optional<std::vector<std::string>> loinc = {};
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
  // The days of the row, both included; nullopt: without a limit on that side.
  std::optional<std::chrono::sys_days> active_from() const;
  std::optional<std::chrono::sys_days> active_to() const;
  std::size_t number() const { return number_; }  // Table::row(number())
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
inline constexpr std::size_t kMostKeyColumns = 16;

// Immutable after it was read: all threads may use it at once.
class Table {
 public:
  struct Read {
    std::shared_ptr<const Table> table;  // null when a finding is an error
    std::vector<Diagnostic> findings;    // all of them, in order of line (R1xx)
  };
  // `csv` is not null. Takes any bytes; never throws; linear in the size of the text. The findings
  // name file, line and column, in words for the person who keeps the table.
  static Read read(std::string name, std::shared_ptr<const Source> csv, TableSettings settings);

  virtual ~Table() = default;
  virtual const std::string& name() const = 0;
  virtual const TableSettings& settings() const = 0;
  virtual std::span<const std::string> columns() const = 0;
  virtual std::span<const std::size_t> key_columns() const = 0;  // into columns()
  virtual char separator() const = 0;                            // ',', ';' or '\t' as a rule
  virtual std::size_t size() const = 0;                          // rows
  virtual Row row(std::size_t number) const = 0;                 // in order of the file

  // The row of a key that is active on that day (all threads; under 300 ns). `key` has a text for
  // each key column.
  virtual std::optional<Row> find(std::span<const std::string_view> key,
                                  std::chrono::sys_days day) const = 0;
  // The same of a key as one text, its parts joined by kKeySeparator.
  std::optional<Row> find(std::string_view joined_key, std::chrono::sys_days day) const;
  // All rows of a key, on whatever day, the earliest first.
  virtual std::vector<Row> find_all(std::span<const std::string_view> key) const = 0;
  // Rows whose keys are spelled nearly like `key`, the nearest first: for "did you mean …?".
  std::vector<Row> nearest(std::span<const std::string_view> key, std::size_t limit) const;

 protected:
  struct Period {
    std::optional<std::chrono::sys_days> from, to;
  };
  Row make_row(std::uint32_t number) const { return {*this, number}; }

 private:
  friend class Row;
  virtual std::string_view cell(std::uint32_t row, std::size_t column) const = 0;
  virtual std::size_t line_of(std::uint32_t row) const = 0;
  virtual Period period_of(std::uint32_t row) const = 0;
};

}  // namespace cannula::tables
