// How an index is compared with one that was just built from the journal.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::store {

class Connection;

// One sentence for each table that differs; none when both say the same. Neither is changed.
// `index` may be within a transaction, and has the other attached as `expected` afterwards.
Result<std::vector<std::string>> index_differences(Connection& index,
                                                   const std::filesystem::path& expected);

}  // namespace cannula::store
