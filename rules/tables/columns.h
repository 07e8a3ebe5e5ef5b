// What the header row and the settings of a table say of its columns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/tables/csv.h"
#include "rules/tables/findings.h"
#include "rules/tables/table.h"

namespace cannula::tables {

struct Columns {
  std::vector<std::string> names;
  std::size_t cells = 0;  // of the header row, with the unnamed ones behind the last name
  std::vector<std::size_t> keys;
  std::vector<std::size_t> required;
  std::vector<std::size_t> loinc;
  std::optional<std::size_t> from, to;  // active_from, active_to
};

// Findings R101, R103, R104, R113, R117. The columns can be used only when none of them is an
// error.
Columns read_columns(std::string_view text, const CsvRow& header, const TableSettings& settings,
                     Findings& findings);

}  // namespace cannula::tables
