// What a person may do to a message, asked of the store before anything is written. Each answers
// with P304, P308 or P311 and what is there instead when it may not be done.
#pragma once

#include "engine/store/store.h"

namespace cannula::pipeline {

// The message, if there is one and (ordinal not 0) it has that delivery.
Result<store::MessageRow> known_message(const store::Store& store, MessageId id,
                                        std::uint32_t ordinal);
// The same, if putting it back to work would not do again what is still under way.
Result<store::MessageRow> may_resend(const store::Store& store, MessageId id,
                                     std::uint32_t ordinal);
// The same, if there is anything to end: what was delivered or has ended stays as it is.
Result<store::MessageRow> may_discard(const store::Store& store, MessageId id,
                                      std::uint32_t ordinal);
// The delivery is being made without anyone's doing: queued or retrying.
Result<bool> is_open(const store::Store& store, MessageId id, std::uint32_t ordinal);

}  // namespace cannula::pipeline
