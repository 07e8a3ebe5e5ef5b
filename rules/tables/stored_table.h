// How a Table is kept: cells as places in the text of the file, or in an arena where doubled quotes
// had to be undone; an index of keys by open addressing; days where the table has such columns.
//
// TableReader fills it row by row, then calls build_index() once; from then on it is constant.
#pragma once

#include "rules/tables/table.h"

namespace cannula::tables {

class StoredTable final : public Table {
 public:
  // Days without a limit.
  static constexpr std::int32_t kAlways = INT32_MIN;
  static constexpr std::int32_t kForever = INT32_MAX;

  // Two rows of one key whose days overlap.
  struct Clash {
    std::uint32_t row = 0;    // the one that begins later, or stands later in the file
    std::uint32_t other = 0;  // the one that it runs into
  };

  StoredTable(std::string name, std::shared_ptr<const Source> source, TableSettings settings)
      : name_(std::move(name)), source_(std::move(source)), settings_(std::move(settings)) {}

  const std::string& name() const override { return name_; }
  const TableSettings& settings() const override { return settings_; }
  std::span<const std::string> columns() const override { return columns_; }
  std::span<const std::size_t> key_columns() const override { return key_columns_; }
  std::size_t size() const override { return row_begins_.size(); }
  Row row(std::size_t number) const override {
    return make_row(static_cast<std::uint32_t>(number));
  }
  using Table::find;
  std::optional<Row> find(std::span<const std::string_view> key,
                          std::chrono::sys_days day) const override;
  std::vector<Row> find_all(std::span<const std::string_view> key) const override;

  // -- Filling ----------------------------------------------------------------------------------
  void set_columns(std::vector<std::string> columns, std::vector<std::size_t> key_columns,
                   bool has_days);
  void reserve(std::size_t rows);
  void add_cell(Span place) {
    cells_.push_back(
        {static_cast<std::uint32_t>(place.begin), static_cast<std::uint32_t>(place.size())});
  }
  void add_cell(std::string_view text);  // copied into the arena
  // The cells of a row were added, one a column.
  void end_row(std::size_t begin, std::int32_t from, std::int32_t to);
  std::vector<Clash> build_index();

  std::size_t row_begin(std::uint32_t row) const { return row_begins_[row]; }  // in the text

 private:
  struct Cell {
    std::uint32_t begin;  // kInArena: in arena_, else in the text
    std::uint32_t size;
  };
  static constexpr std::uint32_t kInArena = 1U << 31;

  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t where = kEmpty;  // a row; with kSeveral, where in runs_
  };
  static constexpr std::uint32_t kEmpty = UINT32_MAX;
  static constexpr std::uint32_t kSeveral = 1U << 31;

  std::string_view cell(std::uint32_t row, std::size_t column) const override {
    return text_of(cells_[row * columns_.size() + column]);
  }
  std::size_t line_of(std::uint32_t row) const override {
    return source_->position(row_begins_[row]).line;
  }
  Period period_of(std::uint32_t row) const override;

  std::string_view text_of(const Cell& cell) const {
    return cell.begin & kInArena
               ? std::string_view(arena_).substr(cell.begin & ~kInArena, cell.size)
               : source_->text().substr(cell.begin, cell.size);
  }
  bool has_key(std::uint32_t row, std::span<const std::string_view> key) const;
  std::uint32_t hash_of(std::span<const std::string_view> key) const;
  std::size_t slot_of(std::span<const std::string_view> key, std::uint32_t hash) const;
  // The rows of a slot that is not empty, in order of days.
  std::span<const std::uint32_t> rows_of(const Slot& slot) const;
  std::vector<std::uint32_t> chain_rows();
  void sort_run(Slot& slot, const std::vector<std::uint32_t>& next, std::vector<Clash>& clashes);
  std::int32_t from_of(std::uint32_t row) const { return from_.empty() ? kAlways : from_[row]; }
  std::int32_t to_of(std::uint32_t row) const { return to_.empty() ? kForever : to_[row]; }

  std::string name_;
  std::shared_ptr<const Source> source_;
  TableSettings settings_;
  std::vector<std::string> columns_;
  std::vector<std::size_t> key_columns_;
  bool has_days_ = false;
  std::vector<Cell> cells_;
  std::string arena_;
  std::vector<std::uint32_t> row_begins_;
  std::vector<std::int32_t> from_, to_;  // days since 1970-01-01; empty without such columns
  std::vector<Slot> slots_;              // a power of two
  std::vector<std::uint32_t> runs_;      // a count, then so many rows
};

}  // namespace cannula::tables
