#include "rules/tables/columns.h"

#include <algorithm>

#include <fmt/format.h>

namespace cannula::tables {
namespace {

constexpr std::size_t kMostColumns = 1024;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

std::string small(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "LOINC Code" -> "loinc_code"; empty when nothing of the text can be kept.
std::string name_from(std::string_view text) {
  std::string name;
  for (const char c : text) {
    if (is_letter(c) || (is_digit(c) && !name.empty())) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return small(name);
}

class HeaderReader {
 public:
  HeaderReader(std::string_view text, const CsvRow& row, const TableSettings& settings,
               Findings& findings)
      : text_(text), row_(row), settings_(settings), findings_(findings) {}

  Columns read() {
    columns_.cells = row_.cells.size();
    std::size_t named = row_.cells.size();
    while (named > 0 && text_of(named - 1).empty()) --named;
    if (named > kMostColumns) {
      findings_.error("R117", span_of(kMostColumns),
                      fmt::format("the header row has {} columns; a table may have up to {}", named,
                                  kMostColumns));
      return columns_;
    }
    if (const auto data = first_of_data(named)) {
      findings_.error("R101", span_of(*data),
                      fmt::format("the first row holds data ({}), not the names of the columns",
                                  in_quotes(text_of(*data))),
                      "put a row above it that names the columns, such as code,text,loinc");
      return columns_;
    }
    for (std::size_t i = 0; i < named; ++i) add_name(i);
    if (!findings_.has_errors()) find_settings();
    return columns_;
  }

 private:
  std::string_view text_of(std::size_t cell) const {
    return text_.substr(row_.cells[cell].begin, row_.cells[cell].end - row_.cells[cell].begin);
  }
  Span span_of(std::size_t cell) const {
    return {row_.cells[cell].begin,
            std::max<std::size_t>(row_.cells[cell].end, row_.cells[cell].begin + 1)};
  }

  // Names begin with a letter: a number is data.
  std::optional<std::size_t> first_of_data(std::size_t named) const {
    for (std::size_t i = 0; i < named; ++i) {
      if (!text_of(i).empty() && is_digit(text_of(i).front())) return i;
    }
    return std::nullopt;
  }

  void add_name(std::size_t cell) {
    const std::string_view name = text_of(cell);
    if (name.empty()) {
      findings_.error("R103", span_of(cell), fmt::format("column {} has no name", cell + 1),
                      "name it in the header row, or remove the column");
    } else if (!is_name(name)) {
      const std::string better = name_from(name);
      findings_.error("R103", span_of(cell),
                      fmt::format("{} cannot be the name of a column: a name is a letter followed "
                                  "by letters, digits and _",
                                  in_quotes(name)),
                      name.find('|') != std::string_view::npos
                          ? "cells are separated by commas, semicolons or tabs"
                      : better.empty() ? "give the column another name"
                                       : fmt::format("name it `{}`", better));
    } else if (const auto other = same_name(name)) {
      findings_.error("R104", span_of(cell),
                      fmt::format("columns {} and {} are both called {}", *other + 1, cell + 1,
                                  in_quotes(name)),
                      "rename one of them; upper and lower case make no difference here");
    } else {
      note_days(cell, name);
    }
    columns_.names.emplace_back(name);
  }

  std::optional<std::size_t> same_name(std::string_view name) const {
    const std::string wanted = small(name);
    for (std::size_t i = 0; i < columns_.names.size(); ++i) {
      if (small(columns_.names[i]) == wanted) return i;
    }
    return std::nullopt;
  }

  void note_days(std::size_t cell, std::string_view name) {
    for (const std::string_view days : {"active_from", "active_to"}) {
      if (small(name) != days) continue;
      if (name != days) {
        findings_.error("R103", span_of(cell),
                        fmt::format("the column with the {} day of a row is written `{}`",
                                    days == "active_from" ? "first" : "last", days),
                        fmt::format("write `{}` in place of `{}`", days, name));
      }
      (days == "active_from" ? columns_.from : columns_.to) = cell;
    }
  }

  void find_settings() {
    if (settings_.keys.size() > kMostKeyColumns) {
      findings_.error("R113", row_.span,
                      fmt::format("the table's settings name {} key columns; up to {} are taken",
                                  settings_.keys.size(), kMostKeyColumns));
      return;
    }
    for (const std::string& key : settings_.keys) {
      const auto column = find(key, "as a key");
      if (!column) continue;
      if (std::find(columns_.keys.begin(), columns_.keys.end(), *column) != columns_.keys.end()) {
        findings_.error("R113", span_of(*column),
                        fmt::format("the table's settings name the key column `{}` twice", key),
                        "name it once in `keys`");
      }
      columns_.keys.push_back(*column);
    }
    if (settings_.keys.empty()) columns_.keys.push_back(0);
    for (const std::string& required : settings_.required) {
      if (const auto column = find(required, "as required")) columns_.required.push_back(*column);
    }
    find_loinc();
  }

  void find_loinc() {
    if (!settings_.loinc) {
      for (std::size_t i = 0; i < columns_.names.size(); ++i) {
        if (small(columns_.names[i]) == "loinc") columns_.loinc.push_back(i);
      }
      return;
    }
    for (const std::string& name : *settings_.loinc) {
      if (const auto column = find(name, "as LOINC codes")) columns_.loinc.push_back(*column);
    }
  }

  std::optional<std::size_t> find(const std::string& name, std::string_view as_what) {
    const auto found = std::find(columns_.names.begin(), columns_.names.end(), name);
    if (found != columns_.names.end()) {
      return static_cast<std::size_t>(found - columns_.names.begin());
    }
    const std::vector<std::string_view> names(columns_.names.begin(), columns_.names.end());
    const auto near = nearest(name, names);
    findings_.error(
        "R113", row_.span,
        fmt::format("the table's settings name {} {}, but the table has no such column",
                    in_quotes(name), as_what),
        near ? fmt::format("did you mean `{}`? Correct the table's .table.toml file", *near)
             : fmt::format("the columns are {}; correct the table's .table.toml file, or this row",
                           fmt::join(columns_.names, ", ")));
    return std::nullopt;
  }

  std::string_view text_;
  const CsvRow& row_;
  const TableSettings& settings_;
  Findings& findings_;
  Columns columns_;
};

}  // namespace

Columns read_columns(std::string_view text, const CsvRow& header, const TableSettings& settings,
                     Findings& findings) {
  return HeaderReader(text, header, settings, findings).read();
}

}  // namespace cannula::tables
