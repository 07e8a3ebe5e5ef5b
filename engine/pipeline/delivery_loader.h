// Reads back from the store what a delivery needs that is not in memory. Blocks on the disk.
#pragma once

#include <chrono>
#include <string>

#include "engine/store/store.h"

namespace cannula::pipeline {

// True of an error of reading a record back that says nothing against the record: another program
// or file of keys reads it, or the disk did not give it this time (J104). Its message has to wait;
// nothing may be concluded of it.
bool may_be_read_later(const Error& error);

struct LoadedDelivery {
  Bytes payload;
  std::string event;
  store::Position accepted = 0;  // where the received message is
  std::string attributes{};      // of the transport
  std::string before{};          // of the attempt that delivered it before, as Parcel::before
  std::string among{};           // as Parcel::among
};

// Parcel::among of a delivery that this outcome asked for.
std::string among_of(const store::Outcome& outcome, const store::DeliveryRequest& request);

// `outcome` is the position of the Outcome that asked for it, `queued` its place in the queue:
// another one when it is delivered again.
Result<LoadedDelivery> load_delivery(const store::Store& store, MessageId id, std::uint32_t ordinal,
                                     store::Position outcome, store::Position queued);

// What came with the answer (Answer::attributes) when the n-th delivery (from 1) of a message to a
// destination was made: by the last run of its script that made one, or of the message that it was
// edited from. Empty when there was none.
Result<std::string> delivered_before(const store::Store& store, MessageId id,
                                     const std::string& destination, std::size_t n);

// How long a delivery that is retrying has been tried before this run, from its first attempt since
// it was queued or resent to its last; at most what its attempts can have taken with waits of
// `longest_wait`, since the wall clock that their times are of may have jumped.
Result<std::chrono::milliseconds> tried_for(const store::Store& store,
                                            const store::DeliveryRow& row,
                                            std::chrono::milliseconds longest_wait);

}  // namespace cannula::pipeline
