// From the journal to the index: what is done at each start for what the index lacks, and for a new
// index from the beginning.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/store/index.h"
#include "engine/store/journal.h"

namespace cannula::store {

// Names the journal's store in a new index and sets it to the journal's begin, with what the
// ledgers say of the records before. A ledger that cannot be read is reported to `damage`.
Result<void> start_index(const Journal& journal, Index& index, std::vector<Diagnostic>* damage);

// Applies what stands from the index's progress to `to`, in large transactions. Counts into
// `records`, reports to `damage` and tells `committed` of each transaction but the last, with the
// position reached, when they are given. After an error the index is at the last transaction that
// was committed.
Result<void> replay_journal(const Journal& journal, Position to, Index& index,
                            std::uint64_t* records, std::vector<Diagnostic>* damage,
                            const std::function<void(Position)>& committed = nullptr);

}  // namespace cannula::store
