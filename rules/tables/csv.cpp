#include "rules/tables/csv.h"

#include <algorithm>

namespace cannula::tables {
namespace {

constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

CsvCell cell_of(std::string_view text, std::size_t begin, std::size_t end, bool doubled) {
  const std::string_view content = trimmed(text.substr(begin, end - begin));
  const auto first = static_cast<std::uint32_t>(content.data() - text.data());
  return {first, first + static_cast<std::uint32_t>(content.size()), doubled};
}

}  // namespace

bool CsvRow::blank() const {
  return std::all_of(cells.begin(), cells.end(),
                     [](const CsvCell& cell) { return cell.begin == cell.end; });
}

bool CsvReader::next(CsvRow& row) {
  if (at_ >= text_.size()) return false;
  row.cells.clear();
  row.problem = CsvRow::Problem::none;
  row.span.begin = at_;
  for (;;) {
    const std::size_t first = behind_blanks(at_);
    if (first < text_.size() && text_[first] == '"') {
      read_quoted(row, first);
    } else {
      read_plain(row, at_);
    }
    if (at_ == text_.size() || text_[at_] != separator_) break;
    ++at_;
  }
  row.span.end = at_;
  step_over_line_end();
  return true;
}

void CsvReader::read_plain(CsvRow& row, std::size_t from) {
  std::size_t end = from;
  while (!ends_cell(end)) ++end;
  row.cells.push_back(cell_of(text_, from, end, false));
  at_ = end;
}

// Where the quotes are wrong, the row ends with the line that the cell begins in: reading goes on
// behind it, and no byte is looked at more than twice.
void CsvReader::read_quoted(CsvRow& row, std::size_t quote) {
  bool doubled = false;
  std::size_t close = text_.find('"', quote + 1);
  while (close != std::string_view::npos && close + 1 < text_.size() && text_[close + 1] == '"') {
    doubled = true;
    close = text_.find('"', close + 2);
  }
  if (close != std::string_view::npos) {
    const std::size_t behind = behind_blanks(close + 1);
    if (ends_cell(behind)) {
      row.cells.push_back(cell_of(text_, quote + 1, close, doubled));
      at_ = behind;
      return;
    }
    const std::size_t end = line_end(quote);
    at_ = end;
    if (close < end) {
      row.problem = CsvRow::Problem::text_behind_quote;
      row.problem_span = {behind, end};
      return;
    }
  }
  row.problem = CsvRow::Problem::unclosed_quote;
  row.problem_span = {quote, quote + 1};
  at_ = line_end(quote);
}

std::size_t CsvReader::line_end(std::size_t from) const {
  return std::min(text_.find_first_of("\r\n", from), text_.size());
}

std::size_t CsvReader::behind_blanks(std::size_t from) const {
  while (from < text_.size() && text_[from] != separator_ &&
         (text_[from] == ' ' || text_[from] == '\t')) {
    ++from;
  }
  return from;
}

void CsvReader::step_over_line_end() {
  if (at_ == text_.size()) return;
  at_ += text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n' ? 2 : 1;
}

char separator_of(std::string_view text, std::size_t begin) {
  const std::size_t first = std::min(text.find_first_not_of("\r\n", begin), text.size());
  std::size_t commas = 0, semicolons = 0, tabs = 0;
  bool quoted = false;
  for (std::size_t i = first; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n' || c == '\r') break;
    commas += c == ',';
    semicolons += c == ';';
    tabs += c == '\t';
  }
  if (commas >= semicolons && commas >= tabs) return ',';
  return semicolons >= tabs ? ';' : '\t';
}

std::string_view trimmed(std::string_view text) {
  for (;;) {
    if (!text.empty() && is_blank(text.front())) {
      text.remove_prefix(1);
    } else if (text.starts_with(kNoBreakSpace)) {
      text.remove_prefix(kNoBreakSpace.size());
    } else {
      break;
    }
  }
  for (;;) {
    if (!text.empty() && is_blank(text.back())) {
      text.remove_suffix(1);
    } else if (text.ends_with(kNoBreakSpace)) {
      text.remove_suffix(kNoBreakSpace.size());
    } else {
      break;
    }
  }
  return text;
}

std::string undoubled(std::string_view content) {
  std::string text;
  text.reserve(content.size());
  for (std::size_t i = 0; i < content.size(); ++i) {
    text += content[i];
    if (content[i] == '"' && i + 1 < content.size() && content[i + 1] == '"') ++i;
  }
  return text;
}

}  // namespace cannula::tables
