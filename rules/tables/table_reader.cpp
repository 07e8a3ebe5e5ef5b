// Table::read: from the bytes of a CSV file to a StoredTable or to findings.
#include <algorithm>

#include <fmt/format.h>

#include "rules/tables/columns.h"
#include "rules/tables/csv.h"
#include "rules/tables/day.h"
#include "rules/tables/encoding.h"
#include "rules/tables/findings.h"
#include "rules/tables/loinc.h"
#include "rules/tables/stored_table.h"

namespace cannula::tables {
namespace {

constexpr std::size_t kLargest = 1U << 28;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct Days {
  std::int32_t from = StoredTable::kAlways;
  std::int32_t to = StoredTable::kForever;
};

// Excel divides a sheet into blocks of sixteen rows and, where the last columns of a whole block
// are empty, leaves out their separators in that block (Microsoft support article 77295). Such rows
// are complete; a single short row is a mistake.
class SixteenRows {
 public:
  static constexpr std::size_t kRows = 16;

  // The findings that turn out to be justified go to `findings`.
  void add_row(std::size_t cells, std::optional<Diagnostic> too_short, Findings& findings) {
    if (rows_ > 0 && cells != cells_) uniform_ = false;
    cells_ = cells;
    if (too_short) held_.push_back(std::move(*too_short));
    if (++rows_ == kRows) finish(findings);
  }
  void finish(Findings& findings) {
    if (!uniform_ || rows_ < 2) {
      for (Diagnostic& finding : held_) findings.add(std::move(finding));
    }
    held_.clear();
    rows_ = 0;
    uniform_ = true;
  }

 private:
  std::vector<Diagnostic> held_;
  std::size_t rows_ = 0;
  std::size_t cells_ = 0;
  bool uniform_ = true;
};

class TableReader {
 public:
  TableReader(std::string name, std::shared_ptr<const Source> source, TableSettings settings)
      : source_(std::move(source)),
        text_(source_->text()),
        table_(std::make_shared<StoredTable>(std::move(name), source_, std::move(settings))),
        findings_(source_) {}

  Table::Read read() {
    read_all();
    const bool usable = !findings_.has_errors();
    return {usable ? table_ : nullptr, findings_.take()};
  }

 private:
  void read_all();
  std::size_t begin_of_rows();
  void read_row(const CsvRow& row);
  void report_problem(const CsvRow& row);
  Diagnostic too_few_cells(const CsvRow& row) const;
  void report_too_many_cells(const CsvRow& row);
  bool check_key(const CsvRow& row);
  void check_cells(const CsvRow& row);
  void check_loinc(const CsvRow& row);
  void report_no_loinc(std::string_view text, Span span, std::string_view column,
                       const std::string& what);
  Days read_days(const CsvRow& row);
  std::optional<std::chrono::sys_days> read_day(const CsvRow& row, std::size_t column);
  void report_clash(const StoredTable::Clash& clash);
  Span key_span(std::uint32_t number);
  std::string key_text(const Row& row) const;

  std::string_view text_of(const CsvRow& row, std::size_t cell) const {
    if (cell >= row.cells.size()) return {};
    return text_.substr(row.cells[cell].begin, row.cells[cell].end - row.cells[cell].begin);
  }
  Span span_of(const CsvRow& row, std::size_t cell) const {
    if (cell >= row.cells.size()) return {row.span.end, row.span.end + 1};
    return {row.cells[cell].begin,
            std::max<std::size_t>(row.cells[cell].end, row.cells[cell].begin + 1)};
  }

  std::shared_ptr<const Source> source_;
  std::string_view text_;
  std::shared_ptr<StoredTable> table_;
  Findings findings_;
  char separator_ = ',';
  Columns columns_;
  SixteenRows block_;
};

void TableReader::read_all() {
  if (text_.size() > kLargest) {
    findings_.error("R117", {0, 1},
                    fmt::format("the table has {} MB; up to {} MB are read", text_.size() >> 20,
                                kLargest >> 20));
    return;
  }
  if (auto unreadable = not_readable(source_)) return findings_.add(std::move(*unreadable));

  const std::size_t begin = begin_of_rows();
  CsvReader reader(text_, separator_, begin);
  CsvRow row;
  bool found = false;
  while (!found && reader.next(row)) found = !row.blank() || row.problem != CsvRow::Problem::none;
  if (!found) {
    return findings_.error("R101", {0, 1}, "the table is empty",
                           "the first row names the columns, such as code,text,loinc");
  }
  if (row.problem != CsvRow::Problem::none) return report_problem(row);
  columns_ = read_columns(text_, row, table_->settings(), findings_);
  if (findings_.has_errors()) return;

  table_->set_separator(separator_);
  table_->set_columns(columns_.names, columns_.keys, columns_.from || columns_.to);
  table_->reserve(source_->line_count());
  block_.add_row(row.cells.size(), std::nullopt, findings_);
  while (reader.next(row)) read_row(row);
  block_.finish(findings_);
  for (const StoredTable::Clash& clash : table_->build_index()) report_clash(clash);
  if (table_->size() == 0 && !findings_.has_errors()) {
    findings_.warning("R120", {0, 1}, "the table has no rows below its header row");
  }
}

// Behind the byte order mark and Excel's line "sep=;".
std::size_t TableReader::begin_of_rows() {
  const std::size_t begin = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  const std::string_view first = source_->line(1).substr(begin);
  if (first.size() == 5 && first.starts_with("sep=")) {
    separator_ = first.back();
    return begin + first.size();
  }
  separator_ = separator_of(text_, begin);
  return begin;
}

void TableReader::read_row(const CsvRow& row) {
  if (row.problem != CsvRow::Problem::none) return report_problem(row);
  if (row.blank()) return;
  if (row.cells.size() > columns_.names.size()) report_too_many_cells(row);
  const bool is_short = row.cells.size() < columns_.names.size();
  block_.add_row(row.cells.size(), is_short ? std::optional(too_few_cells(row)) : std::nullopt,
                 findings_);
  const bool has_key = check_key(row);
  check_cells(row);
  const Days days = read_days(row);
  if (!has_key || days.from > days.to) return;
  table_->begin_row(row.span.begin, days.from, days.to);
  for (std::size_t i = 0; i < columns_.names.size(); ++i) {
    const std::string_view text = text_of(row, i);
    if (i < row.cells.size() && row.cells[i].doubled) {
      table_->add_cell(undoubled(text));
    } else {
      table_->add_cell(i < row.cells.size() ? Span{row.cells[i].begin, row.cells[i].end} : Span{});
    }
  }
}

void TableReader::report_problem(const CsvRow& row) {
  const std::string_view rest = source_->line(source_->position(row.problem_span.begin).line)
                                    .substr(source_->position(row.problem_span.begin).column - 1);
  if (row.problem == CsvRow::Problem::unclosed_quote) {
    return findings_.error(
        "R106", row.problem_span,
        fmt::format("the quote that opens here is not closed in this row: {}", in_quotes(rest)),
        "put a quote behind the last letter of the cell, or remove this one");
  }
  findings_.error("R107", row.problem_span,
                  fmt::format("{} stands behind the closing quote of the cell", in_quotes(rest)),
                  "put all of the cell in quotes; a quote that belongs to the text is written "
                  "twice: \"so-called \"\"fasting\"\" glucose\"");
}

Diagnostic TableReader::too_few_cells(const CsvRow& row) const {
  const std::size_t cells = row.cells.size(), columns = columns_.names.size();
  std::string missing;
  for (std::size_t i = cells; i < columns; ++i) {
    missing += fmt::format("{}`{}`",
                           i == cells         ? ""
                           : i + 1 == columns ? " and "
                                              : ", ",
                           columns_.names[i]);
  }
  const std::string separator = separator_ == '\t' ? "tab" : fmt::format("`{}`", separator_);
  std::string hint = fmt::format(
      "if a cell further left was forgotten, add its {}; an empty cell at the end needs one, too",
      separator);
  const char other = separator_of(text_.substr(row.span.begin, row.span.size()));
  if (cells == 1 && other != separator_ && text_of(row, 0).find(other) != std::string_view::npos) {
    hint = fmt::format("the header row is separated by {}, this row by {}: use one of them",
                       separator, other == '\t' ? "tabs" : fmt::format("`{}`", other));
  }
  return {Severity::error,
          "R105",
          fmt::format("this row has {} cell{} where the header row names {}: nothing stands for {}",
                      cells, cells == 1 ? "" : "s", columns, missing),
          source_,
          Span{row.span.end, row.span.end + 1},
          std::move(hint),
          {}};
}

// A separator with a blank behind it most likely belongs to a text: "Sodium, serum".
void TableReader::report_too_many_cells(const CsvRow& row) {
  const std::size_t columns = columns_.names.size();
  std::size_t extra = columns;
  while (extra < row.cells.size() && text_of(row, extra).empty()) ++extra;
  if (extra == row.cells.size() && row.cells.size() <= columns_.cells) return;
  extra = std::min(extra, row.cells.size() - 1);
  for (std::size_t i = 1; i < row.cells.size(); ++i) {
    const std::size_t begin = row.cells[i].begin;
    if (text_of(row, i).empty() || text_[begin - 1] != ' ' || text_of(row, i - 1).empty()) continue;
    const Span both{row.cells[i - 1].begin, row.cells[i].end};
    const std::string_view text = text_.substr(both.begin, both.size());
    return findings_.error(
        "R105", both,
        fmt::format("this row has {} cells where the header row names {}: {} is read as two cells",
                    row.cells.size(), columns, in_quotes(text)),
        fmt::format("put the text in quotes: \"{}\"", text));
  }
  findings_.error(
      "R105", span_of(row, extra),
      fmt::format("this row has {} cells where the header row names {}: {} stands behind the last "
                  "column, `{}`",
                  row.cells.size(), columns,
                  text_of(row, extra).empty() ? "an empty cell" : in_quotes(text_of(row, extra)),
                  columns_.names.back()),
      fmt::format("a text that holds {} must stand in quotes",
                  separator_ == '\t' ? "a tab" : fmt::format("`{}`", separator_)));
}

// Whether the row has a key.
bool TableReader::check_key(const CsvRow& row) {
  const bool is_empty = std::all_of(columns_.keys.begin(), columns_.keys.end(),
                                    [&](std::size_t key) { return text_of(row, key).empty(); });
  if (is_empty) {
    std::vector<std::string_view> names;
    for (const std::size_t key : columns_.keys) names.push_back(columns_.names[key]);
    findings_.error("R108", span_of(row, columns_.keys.front()),
                    fmt::format("this row has no key: `{}` {} empty", fmt::join(names, "` and `"),
                                names.size() == 1 ? "is" : "are"),
                    "fill it in, or remove the row");
    return false;
  }
  for (const std::size_t key : columns_.keys) {
    const std::string_view text = text_of(row, key);
    if (const auto unseen = find_unseen(text)) {
      const std::size_t at = row.cells[key].begin + unseen->at;
      findings_.warning(
          "R116", {at, at + unseen->size},
          fmt::format("the key {} holds {}, which nobody sees", in_quotes(text), unseen->name),
          "type the key anew, unless the messages have it like this");
    }
  }
  return true;
}

// "1.23457E+11", what a spreadsheet makes of a long number.
bool is_shortened_number(std::string_view text) {
  const std::size_t mark = text.find("E+");
  return mark != std::string_view::npos && mark > 0 && mark + 2 < text.size() &&
         text.substr(0, mark).find_first_not_of("0123456789.,") == std::string_view::npos &&
         text.substr(mark + 2).find_first_not_of("0123456789") == std::string_view::npos;
}

void TableReader::check_cells(const CsvRow& row) {
  static constexpr std::string_view kErrorValues[] = {"#N/A",    "#REF!",  "#NAME?", "#VALUE!",
                                                      "#DIV/0!", "#NUM!",  "#NULL!", "#SPILL!",
                                                      "#CALC!",  "#FIELD!"};
  for (std::size_t i = 0; i < columns_.names.size() && i < row.cells.size(); ++i) {
    const std::string_view text = text_of(row, i);
    if (!text.starts_with('#')) continue;
    if (std::find(std::begin(kErrorValues), std::end(kErrorValues), text) !=
        std::end(kErrorValues)) {
      findings_.error("R115", span_of(row, i),
                      fmt::format("`{}` in `{}` is what a spreadsheet shows when a formula fails",
                                  text, columns_.names[i]),
                      "put the value there that is meant, or leave the cell empty");
    }
  }
  for (const std::size_t key : columns_.keys) {
    if (!is_shortened_number(text_of(row, key))) continue;
    findings_.warning("R115", span_of(row, key),
                      fmt::format("the key {} looks like a long number that a spreadsheet has "
                                  "shortened",
                                  in_quotes(text_of(row, key))),
                      "format the column as Text, then enter the whole number again");
  }
  for (const std::size_t required : columns_.required) {
    if (!text_of(row, required).empty()) continue;
    findings_.error("R114", span_of(row, required),
                    fmt::format("`{}` is empty in this row; the table's settings require it",
                                columns_.names[required]),
                    "fill it in, or remove the row until it is known");
  }
  check_loinc(row);
}

// What stands in a column of LOINC codes is sent as one: whatever cannot be one is an error. A
// code of another kind (LAB12-3) may be meant, and is only pointed at.
void TableReader::check_loinc(const CsvRow& row) {
  if (row.cells.size() > columns_.cells) return;  // which cell is which is not known then
  for (const std::size_t column : columns_.loinc) {
    const std::string_view text = text_of(row, column);
    if (text.empty() || text.starts_with('#')) continue;
    const auto mistake = loinc_mistake(text);
    if (!mistake) continue;
    if (mistake->better.empty()) {
      report_no_loinc(text, span_of(row, column), columns_.names[column], mistake->what);
    } else {
      findings_.error("R121", span_of(row, column), mistake->what,
                      fmt::format("did you mean {}? Look the code up: any of its digits may be the "
                                  "mistyped one",
                                  mistake->better));
    }
  }
}

void TableReader::report_no_loinc(std::string_view text, Span span, std::string_view column,
                                  const std::string& what) {
  if (const auto codes = loinc_before_spreadsheet(text)) {
    std::string hint = "format the column as Text, then enter the code again";
    if (codes->size() == 1) hint += fmt::format("; it was probably {}", codes->front());
    if (codes->size() > 1) hint += fmt::format("; it was one of {}", fmt::join(*codes, ", "));
    return findings_.error(
        "R115", span,
        fmt::format("{} in `{}` is a day or month, which a spreadsheet makes of a LOINC code",
                    in_quotes(text), column),
        hint);
  }
  const std::string hint =
      "leave the cell empty where there is no code; if the column is not of LOINC codes, write "
      "loinc = [] in the table's .table.toml file";
  if (is_shaped_like_loinc(text)) return findings_.warning("R122", span, what, hint);
  findings_.error("R122", span, what, hint);
}

// With from > to where the row's days are wrong, which was reported then.
Days TableReader::read_days(const CsvRow& row) {
  constexpr Days kWrong{StoredTable::kForever, StoredTable::kAlways};
  Days days;
  bool wrong = false;
  const auto read_one = [&](std::optional<std::size_t> column, std::int32_t& day) {
    if (!column || text_of(row, *column).empty()) return;
    if (const auto read = read_day(row, *column)) {
      day = static_cast<std::int32_t>(read->time_since_epoch().count());
    } else {
      wrong = true;
    }
  };
  read_one(columns_.from, days.from);
  read_one(columns_.to, days.to);
  if (!wrong && days.from > days.to) {
    findings_.error("R112", span_of(row, *columns_.to),
                    fmt::format("this row ends ({}) before it begins ({})",
                                text_of(row, *columns_.to), text_of(row, *columns_.from)),
                    "correct active_from or active_to; perhaps they are swapped");
    wrong = true;
  }
  return wrong ? kWrong : days;
}

std::optional<std::chrono::sys_days> TableReader::read_day(const CsvRow& row, std::size_t column) {
  const std::string_view text = text_of(row, column);
  if (const auto day = parse_day(text)) return day;
  if (is_day_shaped(text)) {
    findings_.error(
        "R111", span_of(row, column),
        fmt::format("`{}` in `{}` is a day that does not exist", text, columns_.names[column]),
        "look for a mistyped digit");
    return std::nullopt;
  }
  const auto guess = guess_day(text);
  findings_.error(
      "R111", span_of(row, column),
      fmt::format("{} in `{}` is not a day as tables have it, year-month-day such as 2026-01-31",
                  in_quotes(text), columns_.names[column]),
      guess ? fmt::format("write {}; in Excel format the column as Custom, yyyy-mm-dd",
                          day_text(*guess))
            : "write the day as year-month-day; in Excel format the column as Custom, yyyy-mm-dd");
  return std::nullopt;
}

std::string TableReader::key_text(const Row& row) const {
  std::string text;
  for (const std::size_t key : columns_.keys) {
    text += (text.empty() ? "" : ", ") + in_quotes(row.at(key));
  }
  return text;
}

// Rows keep only where they begin: the cell is looked up again.
Span TableReader::key_span(std::uint32_t number) {
  CsvReader reader(text_, separator_, table_->row_begin(number));
  CsvRow row;
  reader.next(row);
  return span_of(row, columns_.keys.front());
}

std::string period_text(const Row& row) {
  const auto from = row.active_from(), to = row.active_to();
  if (from && to) return fmt::format("from {} to {}", day_text(*from), day_text(*to));
  if (from) return "from " + day_text(*from) + " on";
  if (to) return "up to " + day_text(*to);
  return "for all days";
}

void TableReader::report_clash(const StoredTable::Clash& clash) {
  const Row row = table_->row(clash.row), other = table_->row(clash.other);
  const std::string key = key_text(row), other_key = key_text(other);
  const std::string as = key == other_key ? "" : fmt::format(" as {}", other_key);
  if (!columns_.from && !columns_.to) {
    return findings_.error(
        "R109", key_span(clash.row),
        fmt::format("the key {} already stands in line {}{}", key, other.line(), as),
        fmt::format("remove the row here or the one in line {}", other.line()));
  }
  const Row& earlier = row.active_from() < other.active_from() ? row : other;
  const Row& later = &earlier == &row ? other : row;
  const auto begins = later.active_from();
  findings_.error(
      "R110", key_span(clash.row),
      fmt::format("the key {} has a row in line {}{} {}, and this one {}: their days overlap", key,
                  other.line(), as, period_text(other), period_text(row)),
      begins && earlier.active_from() != begins
          ? fmt::format("end the row in line {} on {} (active_to), or remove one of the two",
                        earlier.line(), day_text(*begins - std::chrono::days(1)))
          : "give them days that do not overlap (active_from, active_to), or remove one of the "
            "two");
}

}  // namespace

Table::Read Table::read(std::string name, std::shared_ptr<const Source> csv,
                        TableSettings settings) {
  return TableReader(std::move(name), std::move(csv), std::move(settings)).read();
}

}  // namespace cannula::tables
