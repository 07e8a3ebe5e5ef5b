// The statements that find what a LetterQuery asks for, each from the index that serves it. No I/O.
#pragma once

#include <cstdint>
#include <string>
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

// `channel` and `destination` are the numbers of the names in `query`; 0 where it names none.
std::vector<LetterArm> letter_arms(const LetterQuery& query, std::int64_t channel,
                                   std::int64_t destination);

}  // namespace cannula::store
