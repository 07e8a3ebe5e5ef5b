// Reads back from the store what a delivery needs that is not in memory. Blocks on the disk.
#pragma once

#include <string>

#include "engine/store/store.h"

namespace cannula::pipeline {

struct LoadedDelivery {
  Bytes payload;
  std::string event;
  store::Timestamp queued_at = 0;  // when its Outcome was written
  store::Position accepted = 0;    // where the received message is
  std::string attributes{};        // of the transport
};

// `outcome` is the position of the Outcome that asked for it.
Result<LoadedDelivery> load_delivery(const store::Store& store, MessageId id, std::uint32_t ordinal,
                                     store::Position outcome);

}  // namespace cannula::pipeline
