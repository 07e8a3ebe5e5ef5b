// Forgetting a channel for good: its keys are destroyed, and with them everything sealed by them.
#pragma once

#include <string>

#include "engine/security/keys/key_ring.h"
#include "engine/store/store.h"

namespace cannula::store {

// The store must not be open (J101). J113 when the channel has messages that are not at an end,
// unless `even_open`; K109 when it has no key. Its rows go with the index, which is built anew at
// the next opening. Positions and files stay: the bytes are there, and nobody can read them.
Result<void> shred_channel(Options options, const security::KeyRing::Place& place,
                           const std::string& channel, const std::string& actor,
                           const std::string& reason, bool even_open);

}  // namespace cannula::store
