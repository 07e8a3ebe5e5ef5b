// How a Table is kept: each row as a few words that lie together (where it stands in the file, its
// days, its cells as places in the text or, where doubled quotes had to be undone, in an arena),
// and an index of keys by open addressing. A slot of the index holds all that a lookup asks for,
// the days and the text of a short key too: in a large table each place in memory that is touched
// costs more than all the rest.
//
// TableReader fills it row by row, then calls build_index() once; from then on it is constant.
#pragma once

#include <array>
#include <cstring>

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
  char separator() const override { return separator_; }
  std::size_t size() const override { return rows_; }
  Row row(std::size_t number) const override {
    return make_row(static_cast<std::uint32_t>(number));
  }
  using Table::find;
  std::optional<Row> find(std::span<const std::string_view> key,
                          std::chrono::sys_days day) const override;
  std::vector<Row> find_all(std::span<const std::string_view> key) const override;

  // -- Filling ----------------------------------------------------------------------------------
  void set_separator(char separator) { separator_ = separator; }
  void set_columns(std::vector<std::string> columns, std::vector<std::size_t> key_columns,
                   bool has_days);
  void reserve(std::size_t rows);
  void begin_row(std::size_t begin, std::int32_t from, std::int32_t to);
  // Then the cells of the row, one a column.
  void add_cell(Span place) {
    words_.push_back(static_cast<std::uint32_t>(place.begin));
    words_.push_back(static_cast<std::uint32_t>(place.size()));
  }
  void add_cell(std::string_view text);  // copied into the arena
  std::vector<Clash> build_index();

  std::size_t row_begin(std::uint32_t row) const { return words_of(row)[0]; }  // in the text

 private:
  static constexpr std::uint32_t kInArena = 1U << 31;  // of a cell's place

  static constexpr std::uint32_t kEmpty = UINT32_MAX;
  static constexpr std::uint32_t kSeveral = 1U << 31;
  static constexpr std::uint8_t kLong = UINT8_MAX;
  // Two of them fill a line of the cache.
  struct alignas(32) Slot {
    std::uint32_t hash = 0;
    std::uint32_t where = kEmpty;  // a row; with kSeveral, where in runs_
    std::int32_t from = 0;         // the days of the row, when it is but one
    std::int32_t to = 0;
    std::uint8_t size = 0;  // of the key; kLong: where it is in keys_ stands in its place
    std::array<char, 15> text{};

    void set_long_key(std::uint32_t at) {
      size = kLong;
      std::memcpy(text.data(), &at, sizeof at);
    }
    std::uint32_t long_key() const {
      std::uint32_t at = 0;
      std::memcpy(&at, text.data(), sizeof at);
      return at;
    }
  };

  // Of a row: its begin, its days if the table has such columns, then place and size of each cell.
  const std::uint32_t* words_of(std::uint32_t row) const {
    return words_.data() + std::size_t{row} * stride_;
  }
  std::string_view cell(std::uint32_t row, std::size_t column) const override {
    const std::uint32_t* place = words_of(row) + first_cell_ + 2 * column;
    return place[0] & kInArena ? std::string_view(arena_).substr(place[0] & ~kInArena, place[1])
                               : source_->text().substr(place[0], place[1]);
  }
  std::size_t line_of(std::uint32_t row) const override {
    return source_->position(row_begin(row)).line;
  }
  Period period_of(std::uint32_t row) const override;

  bool has_key(const Slot& slot, std::span<const std::string_view> key) const;
  bool same_text(std::string_view kept, std::string_view wanted) const;
  void keep_key(Slot& slot, std::span<const std::string_view> key);
  std::uint32_t hash_of(std::span<const std::string_view> key) const;
  std::size_t slot_of(std::span<const std::string_view> key, std::uint32_t hash) const;
  // The rows of a slot that is not empty, in order of days.
  std::span<const std::uint32_t> rows_of(const Slot& slot) const;
  std::vector<std::uint32_t> chain_rows();
  void sort_run(Slot& slot, const std::vector<std::uint32_t>& next, std::vector<Clash>& clashes);
  std::int32_t from_of(std::uint32_t row) const {
    return has_days_ ? static_cast<std::int32_t>(words_of(row)[1]) : kAlways;
  }
  std::int32_t to_of(std::uint32_t row) const {
    return has_days_ ? static_cast<std::int32_t>(words_of(row)[2]) : kForever;
  }

  std::string name_;
  std::shared_ptr<const Source> source_;
  TableSettings settings_;
  std::vector<std::string> columns_;
  std::vector<std::size_t> key_columns_;
  bool has_days_ = false;
  char separator_ = ',';
  std::size_t first_cell_ = 1;  // in the words of a row
  std::size_t stride_ = 1;      // words of a row
  std::size_t rows_ = 0;
  std::vector<std::uint32_t> words_;
  std::string arena_;
  // Of each long key and each of several columns: of each part its size (4 bytes) and its text.
  std::string keys_;
  std::vector<Slot> slots_;          // a power of two
  std::vector<std::uint32_t> runs_;  // a count, then so many rows
};

}  // namespace cannula::tables
