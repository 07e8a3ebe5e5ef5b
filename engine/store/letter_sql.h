// The statements that find what a LetterQuery asks for, each from the index that serves it. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/store.h"

namespace cannula::store {

// One kind of state of a LetterQuery. Parameters: ?1 code, ?2 place, ?3 from, ?4 to.
struct LetterArm {
  bool of_messages = false;
  int state = 0;        // the number of it in record.h
  std::string letters;  // columns: message, ordinal
  std::string causes;   // columns: channel, destination, code, place, count, first, last, sample
};

// What the index calls the names that a query is narrowed to; none: it is not narrowed. A name that
// the index does not know has no number.
using Numbers = std::optional<std::vector<std::int64_t>>;

// " AND COLUMN IN (…)"; empty when it is not narrowed.
std::string and_among(std::string_view column, const Numbers& numbers);

std::vector<LetterArm> letter_arms(const LetterQuery& query, const Numbers& channels,
                                   const Numbers& destinations);

}  // namespace cannula::store
