// The worklist: what lookups did not find.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/site_question.h"
#include "engine/cli/site_tables.h"
#include "engine/cli/verb.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;
using tables::Table;

struct Options {
  std::string site, table;
  bool csv = false;
};

std::string text_of(const json& row, const char* name) {
  return row.value(name, std::string());
}

std::string times(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string list_text(const json& answer) {
  std::string text, table;
  for (const json& row : answer["unmapped"]) {
    if (text_of(row, "table") != table) {
      table = text_of(row, "table");
      text += fmt::format("{}{}\n", text.empty() ? "" : "\n", table);
    }
    const std::string name = text_of(row, "text");
    const auto waiting = row.value("waiting", std::uint64_t{0});
    text += fmt::format("  {}{}\n", key_for_people(text_of(row, "key")),
                        name.empty() ? "" : fmt::format("  \"{}\"", visible(name, 80)));
    text += fmt::format("    {} since {}, last {}, in {}\n",
                        times(row.value("count", std::uint64_t{0}), "time"),
                        text_of(row, "first_at"), text_of(row, "last_at"), text_of(row, "channel"));
    text += fmt::format("    {}for example {}\n",
                        waiting == 0 ? ""
                                     : times(waiting, "message") +
                                           (waiting == 1 ? " waits for it; " : " wait for it; "),
                        text_of(row, "sample"));
  }
  if (text.empty()) return "nothing is unmapped\n";
  return text + "\n`cannula table unmapped --table NAME --csv` prints rows to fill in\n";
}

// RFC 4180; a cell that a spreadsheet would take for a formula stays as it is, for it is a key.
std::string cell_text(std::string_view text, char separator) {
  if (text.find_first_of("\"\r\n") == std::string_view::npos &&
      text.find(separator) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// The parts of the key in the key's columns, the sender's text in a column `text`.
std::string csv_row(const Table& table, const json& row) {
  std::vector<std::string> cells(table.columns().size());
  std::string key = text_of(row, "key");
  for (const std::size_t column : table.key_columns()) {
    const std::size_t end = std::min(key.find(tables::kKeySeparator), key.size());
    cells[column] = key.substr(0, end);
    key.erase(0, end + 1);
  }
  const auto columns = table.columns();
  const auto named = std::find(columns.begin(), columns.end(), "text");
  if (named != columns.end()) {
    std::string& cell = cells[static_cast<std::size_t>(named - columns.begin())];
    if (cell.empty()) cell = text_of(row, "text");
  }
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line +=
        (i == 0 ? "" : std::string(1, table.separator())) + cell_text(cells[i], table.separator());
  }
  return line + "\n";
}

int unmapped(const Options& options, const Context& context) {
  std::shared_ptr<const Table> table;
  std::error_code ignored;
  if (!options.table.empty()) {
    const auto site = read_site_tables(options.site, context);
    const auto found = site ? find_table(*site, options.table)
                            : Result<std::shared_ptr<const Table>>(site.error());
    // A table with mistakes has codes without a row all the same; its columns alone are not known.
    const bool is_there =
        site && std::filesystem::exists(site->root / "tables" / (options.table + ".csv"), ignored);
    if (!found && (options.csv || !is_there)) {
      print_error(context, found.error());
      return kUsage;
    }
    if (found) table = *found;
  } else if (options.csv) {
    print_error(context, {"U102", "--csv prints rows of one table, and none is named",
                          "add --table NAME; `cannula table list` names them"});
    return kUsage;
  }
  return answer_question(options.site, "unmapped", json{{"table", options.table}}, context,
                         [&](const json& answer) {
                           if (!options.csv) return list_text(answer);
                           std::string rows;
                           for (const json& row : answer["unmapped"]) rows += csv_row(*table, row);
                           return rows;
                         });
}

}  // namespace

Verb table_unmapped_verb() {
  auto options = std::make_shared<Options>();
  return {
      .name = "table unmapped",
      .summary = "List what lookups did not find: how often, since when, and what waits for it.",
      .example =
          "cannula table unmapped my-site\n"
          "cannula table unmapped my-site --table lab-to-loinc --csv >> rows.csv",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("SITE", options->site, "The site's folder.");
            arguments.text("--table", "TABLE", options->table, "Only of this table.");
            arguments.flag("--csv", options->csv,
                           "Print rows for the table, the key filled in, the rest to be filled.");
          },
      .run = [options](const Context& context) { return unmapped(*options, context); }};
}

}  // namespace cannula::cli
