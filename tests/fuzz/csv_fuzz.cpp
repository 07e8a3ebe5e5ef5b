// Any bytes as a table: a table or findings that can be printed; every row of a table is found by
// its own key on its days, and nothing by another. The first byte chooses the settings.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "rules/tables/table.h"

namespace cannula::tables {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

TableSettings settings_of(std::uint8_t choice) {
  TableSettings settings;
  if (choice & 1) settings.keys = {"a"};
  if (choice & 2) settings.keys.emplace_back("b");
  settings.ignore_case = choice & 4;
  if (choice & 8) settings.required = {"c"};
  return settings;
}

void check(const Table& table, const std::size_t lines) {
  require(!table.key_columns().empty());
  std::size_t last_line = 1;
  for (std::size_t number = 0; number < table.size(); ++number) {
    const Row row = table.row(number);
    require(row.line() > last_line && row.line() <= lines);
    last_line = row.line();

    std::vector<std::string_view> key;
    std::string joined;
    for (const std::size_t column : table.key_columns()) {
      key.push_back(row.at(column));
      joined += (key.size() == 1 ? "" : std::string(1, kKeySeparator)) + std::string(key.back());
    }
    const auto day = row.active_from().value_or(
        row.active_to().value_or(std::chrono::sys_days(std::chrono::days(0))));
    const auto found = table.find(key, day);
    require(found && found->number() == number);
    if (joined.find(kKeySeparator) == std::string::npos) {
      require(table.find(joined, day)->number() == number);
    }
    if (row.active_from()) {
      const auto before = table.find(key, *row.active_from() - std::chrono::days(1));
      require(!before || before->number() != number);
    }
    require(!table.find_all(key).empty());
    if (number < 4) (void)table.nearest(key, 3);
  }
}

}  // namespace
}  // namespace cannula::tables

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cannula;
  using namespace cannula::tables;
  if (size == 0) return 0;
  auto source = std::make_shared<const Source>(
      "fuzz.csv", std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  const auto read = Table::read("fuzz", source, settings_of(data[0]));
  require((read.table == nullptr) == has_errors(read.findings));
  require(read.findings.size() <= 101);
  (void)render(read.findings);
  if (read.table) check(*read.table, source->line_count());
  return 0;
}
