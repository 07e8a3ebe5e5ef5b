// Divides the text of a CSV file into rows and cells, as RFC 4180 and spreadsheet programs write
// them: rows end with CRLF, LF or CR; a cell in quotes may hold separators, line ends and `""` for
// a quote; blanks around a cell and around its quotes are not part of it.
//
//   CsvReader reader(text, separator_of(text));
//   CsvRow row;
//   while (reader.next(row)) …
//
// Any bytes, linear time, nothing copied. The text is kept by the caller and is below 2 GB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/span.h"

namespace cannula::tables {

// Where the content of a cell stands in the text: without quotes and blanks around it.
struct CsvCell {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool doubled = false;  // holds `""`, each of which stands for one quote
};

struct CsvRow {
  enum class Problem : std::uint8_t {
    none,
    unclosed_quote,    // the text or a later row's quote came first; the row is cut at its line end
    text_behind_quote  // `"a" b`; the row is cut behind that cell
  };

  Span span;  // without the line end
  std::vector<CsvCell> cells;
  Problem problem = Problem::none;
  Span problem_span;  // the opening quote, or the text behind the closing one

  bool blank() const;  // no cell holds anything
};

class CsvReader {
 public:
  CsvReader(std::string_view text, char separator, std::size_t begin = 0)
      : text_(text), separator_(separator), at_(begin) {}

  // False when there are no more rows. `row` is filled anew.
  bool next(CsvRow& row);

 private:
  bool is_line_end(std::size_t at) const { return text_[at] == '\n' || text_[at] == '\r'; }
  bool ends_cell(std::size_t at) const {
    return at == text_.size() || text_[at] == separator_ || is_line_end(at);
  }
  std::size_t line_end(std::size_t from) const;
  std::size_t behind_blanks(std::size_t from) const;
  void read_quoted(CsvRow& row, std::size_t quote);
  void read_plain(CsvRow& row, std::size_t from);
  void step_over_line_end();

  std::string_view text_;
  char separator_;
  std::size_t at_;
};

// The separator that the first row holds most of: comma, semicolon or tab; a comma where it holds
// none.
char separator_of(std::string_view text, std::size_t begin = 0);

// Without blanks, tabs, line ends and non-breaking spaces (U+00A0) at both ends.
std::string_view trimmed(std::string_view text);

// The content of a cell with `""` read as one quote.
std::string undoubled(std::string_view content);

}  // namespace cannula::tables
