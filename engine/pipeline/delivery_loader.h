// Reads back from the store what a delivery needs that is not in memory. Blocks on the disk.
#pragma once

#include <chrono>
#include <string>

#include "engine/store/store.h"

namespace cannula::pipeline {

struct LoadedDelivery {
  Bytes payload;
  std::string event;
  store::Position accepted = 0;  // where the received message is
  std::string attributes{};      // of the transport
};

// `outcome` is the position of the Outcome that asked for it.
Result<LoadedDelivery> load_delivery(const store::Store& store, MessageId id, std::uint32_t ordinal,
                                     store::Position outcome);

// How long a delivery that is retrying has been tried before this run, from its first attempt since
// it was queued or resent to its last; at most what its attempts can have taken with waits of
// `longest_wait`, since the wall clock that their times are of may have jumped.
Result<std::chrono::milliseconds> tried_for(const store::Store& store,
                                            const store::DeliveryRow& row,
                                            std::chrono::milliseconds longest_wait);

}  // namespace cannula::pipeline
