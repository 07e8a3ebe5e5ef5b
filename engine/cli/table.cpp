#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/input_file.h"
#include "engine/cli/site_tables.h"
#include "engine/cli/verb.h"
#include "parsers/text/terminal_text.h"
#include "rules/tables/day.h"

namespace cannula::cli {
namespace {

using nlohmann::ordered_json;
using std::chrono::sys_days;
using tables::day_text;
using tables::Row;
using tables::Table;

std::string dumped(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string days_of(const Row& row) {
  const auto from = row.active_from(), to = row.active_to();
  if (from && to) return fmt::format("from {} to {}", day_text(*from), day_text(*to));
  if (from) return fmt::format("from {} on", day_text(*from));
  if (to) return fmt::format("up to {}", day_text(*to));
  return "on all days";
}

std::string key_of(const Row& row) {
  std::string joined;
  for (const std::size_t column : row.table().key_columns()) {
    if (column != row.table().key_columns().front()) joined += tables::kKeySeparator;
    joined += row.at(column);
  }
  return joined;
}

ordered_json row_json(const Row& row) {
  ordered_json cells = ordered_json::object();
  for (std::size_t i = 0; i < row.table().columns().size(); ++i) {
    cells[row.table().columns()[i]] = row.at(i);
  }
  return {{"line", row.line()}, {"row", std::move(cells)}};
}

std::string row_text(const Row& row) {
  const auto columns = row.table().columns();
  std::size_t width = 0;
  for (const std::string& column : columns) width = std::max(width, column.size());
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    text += fmt::format("{:<{}}  {}\n", columns[i], width, visible(row.at(i)));
  }
  return text;
}

// -- table lookup ---------------------------------------------------------------------------------

struct LookupOptions {
  std::string table, site, day;
  std::vector<std::string> key;
};

// What a person may have meant whose key has no row on that day.
std::string miss_hint(const Table& table, std::span<const std::string_view> key) {
  const std::vector<Row> others = table.find_all(key);
  if (!others.empty()) {
    std::vector<std::string> days;
    days.reserve(others.size());
    for (const Row& row : others)
      days.push_back(fmt::format("{} (line {})", days_of(row), row.line()));
    return fmt::format("it has one {}", fmt::join(days, ", "));
  }
  std::vector<std::string> near;
  for (const Row& row : table.nearest(key, 5))
    near.push_back("`" + key_for_people(key_of(row)) + "`");
  if (!near.empty()) return fmt::format("near are {}", fmt::join(near, ", "));
  return "no key of the table is spelled nearly like it";
}

int miss(const Table& table, std::span<const std::string_view> key, sys_days day,
         const Context& context) {
  if (context.json) {
    ordered_json near = ordered_json::array();
    for (const Row& row : table.nearest(key, 5)) near.push_back(row_json(row));
    print(context.out, dumped({{"table", table.name()},
                               {"key", key},
                               {"found", false},
                               {"nearest", std::move(near)}}));
    return kFailed;
  }
  print_error(context,
              {"U142",
               fmt::format("the table `{}` has no row for `{}` on {}", table.name(),
                           visible(fmt::format("{}", fmt::join(key, " | "))), day_text(day)),
               miss_hint(table, key)});
  return kFailed;
}

// The last word of the key may be the site, which other verbs take there.
Error with_site_hint(Error error, const LookupOptions& options) {
  if (options.site.empty() && options.key.size() > 1 && is_site(options.key.back())) {
    const std::vector<std::string> key(options.key.begin(), options.key.end() - 1);
    error.hint = fmt::format("the site goes behind --site: cannula table lookup {} {} --site {}",
                             options.table, fmt::join(key, " "), options.key.back());
  }
  return error;
}

int look_up(const LookupOptions& options, const Context& context) {
  const auto usage = [&](Error error) {
    print_error(context, with_site_hint(std::move(error), options));
    return kUsage;
  };
  const auto site = read_site_tables(options.site, context);
  if (!site) return usage(site.error());
  const auto found = find_table(*site, options.table);
  if (!found) return usage(found.error());
  const Table& table = **found;

  auto day = std::optional(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
  if (!options.day.empty()) day = tables::parse_day(options.day);
  if (!day) {
    return usage(
        {"U102", fmt::format("--day takes a day such as 2026-01-31, not `{}`", options.day)});
  }
  if (options.key.size() != table.key_columns().size()) {
    std::vector<std::string_view> names;
    for (const std::size_t column : table.key_columns()) names.push_back(table.columns()[column]);
    return usage({"U143",
                  fmt::format("a key of the table `{}` has {} part{}: {}", table.name(),
                              names.size(), names.size() == 1 ? "" : "s", fmt::join(names, ", ")),
                  names.size() == 1 ? "put a key with blanks in quotes"
                                    : "give the parts in this order, each as a word of its own"});
  }
  const std::vector<std::string_view> key(options.key.begin(), options.key.end());
  const auto row = table.find(key, *day);
  if (!row) return miss(table, key, *day, context);
  if (context.json) {
    ordered_json json{{"table", table.name()}, {"key", key}, {"found", true}};
    json.update(row_json(*row));
    print(context.out, dumped(json));
  } else {
    print(context.out, row_text(*row));
  }
  return kFine;
}

// -- table list -----------------------------------------------------------------------------------

int list(const std::string& named, const Context& context) {
  const auto site = read_site_tables(named, context);
  if (!site) {
    print_error(context, site.error());
    return kUsage;
  }
  ordered_json json = ordered_json::array();
  std::string text;
  std::size_t width = 0;
  for (const auto& [name, table] : site->resources->tables) width = std::max(width, name.size());
  for (const auto& [name, table] : site->resources->tables) {
    std::vector<std::string_view> keys;
    for (const std::size_t column : table->key_columns()) keys.push_back(table->columns()[column]);
    json.push_back({{"table", name},
                    {"description", table->settings().description},
                    {"rows", table->size()},
                    {"keys", keys},
                    {"columns", table->columns()}});
    text += fmt::format(
        "{:<{}}  {:>7} rows by {}{}\n", name, width, table->size(), fmt::join(keys, ", "),
        table->settings().description.empty() ? ""
                                              : "  " + visible(table->settings().description, 120));
  }
  if (context.json) {
    print(context.out, dumped({{"tables", std::move(json)}}));
  } else {
    print(context.out, text.empty() ? "no tables: a table is a file tables/NAME.csv\n" : text);
  }
  if (!has_errors(site->findings)) return kFine;
  print_error(context, {"U144", "some tables have errors and are not listed",
                        "`cannula table check` shows them"});
  return kFailed;
}

// -- table check ----------------------------------------------------------------------------------

// The site a table's file stands in: SITE/tables/NAME.csv.
std::string site_of_file(const std::filesystem::path& file) {
  const auto folder = std::filesystem::absolute(file).lexically_normal().parent_path();
  if (folder.filename() != "tables") return {};
  std::error_code error;
  const auto site = folder.parent_path();
  if (!std::filesystem::exists(site / "site.toml", error)) return {};
  const auto relative = std::filesystem::relative(site, error);
  return error || relative.empty() ? site.string() : relative.string();
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

// Findings about one file, of its site where it stands in one, so that its settings count.
Result<std::vector<Diagnostic>> check_file(const std::string& file, const Context& context) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    if (!file.ends_with(".csv")) TRY(site_folder(file));  // which says that there is none
    return Error{"U106", fmt::format("{}: there is no such file", file),
                 "name a table's file, SITE/tables/NAME.csv, or the site's folder"};
  }
  const std::string site = site_of_file(file);
  if (!site.empty()) {
    SiteTables tables = TRY(read_site_tables(site, context));
    const std::string settings =
        std::filesystem::path(file).replace_extension(".table.toml").string();
    std::erase_if(tables.findings, [&](const Diagnostic& finding) {
      return !is_same_file(finding.source->name(), file) &&
             !is_same_file(finding.source->name(), settings);
    });
    return std::move(tables.findings);
  }
  auto source = std::make_shared<const Source>(file, TRY(read_input(file)));
  return Table::read(std::filesystem::path(file).stem().string(), std::move(source), {}).findings;
}

Result<std::vector<Diagnostic>> check_all(const std::vector<std::string>& places,
                                          const Context& context) {
  if (places.empty()) return TRY(read_site_tables("", context)).findings;
  std::vector<Diagnostic> findings;
  for (const std::string& place : places) {
    std::error_code error;
    auto found = std::filesystem::is_directory(place, error)
                     ? TRY(read_site_tables(place, context)).findings
                     : TRY(check_file(place, context));
    findings.insert(findings.end(), found.begin(), found.end());
  }
  return findings;
}

int check(const std::vector<std::string>& places, const Context& context) {
  const auto findings = check_all(places, context);
  if (!findings) {
    print_error(context, findings.error());
    return kUsage;
  }
  const bool valid = !has_errors(*findings);
  if (context.json) {
    ordered_json list = ordered_json::array();
    for (const Diagnostic& finding : *findings) list.push_back(finding_json(finding));
    print(context.out, dumped({{"valid", valid}, {"findings", std::move(list)}}));
  } else {
    print(context.out, render(*findings));
  }
  return valid ? kFine : kFailed;
}

}  // namespace

Verb table_lookup_verb() {
  auto options = std::make_shared<LookupOptions>();
  return {.name = "table lookup",
          .summary = "Show the row that a lookup finds, or the keys that are spelled nearly so.",
          .example =
              "cannula table lookup lab-to-loinc K\n"
              "cannula table lookup wards north 3B --day 2026-01-31",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("TABLE", options->table, "The table's name.", true);
                arguments.positionals("KEY", options->key,
                                      "The key; of several columns, each part as a word.", true);
                arguments.text("--day", "DATE", options->day,
                               "As on that day (2026-01-31) instead of today.");
                arguments.text("--site", "SITE", options->site, "The site's folder.");
              },
          .run = [options](const Context& context) { return look_up(*options, context); }};
}

Verb table_list_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "table list",
          .summary = "List a site's mapping tables: rows, key columns, what they are for.",
          .example = "cannula table list my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run = [site](const Context& context) { return list(*site, context); }};
}

Verb table_check_verb() {
  auto places = std::make_shared<std::vector<std::string>>();
  return {.name = "table check",
          .summary =
              "Check mapping tables: those of a site, or single files. Silent when all is "
              "well.",
          .example =
              "cannula table check my-site\n"
              "cannula table check my-site/tables/lab-to-loinc.csv",
          .declare =
              [places](Arguments& arguments) {
                arguments.positionals("SITE|FILE", *places,
                                      "Sites' folders or CSV files, wherever they stand.");
              },
          .run = [places](const Context& context) { return check(*places, context); }};
}

}  // namespace cannula::cli
