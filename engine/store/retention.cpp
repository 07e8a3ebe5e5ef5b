#include "engine/store/retention.h"

#include <numeric>

namespace cannula::store {
namespace {

void strip(Accepted& record, Timestamp removed) {
  record.removed_size = record.body ? record.body->size() : record.removed_size;
  record.bodies_removed = removed;
  record.body = nullptr;
  record.attributes.clear();
}

// State and misses are in the channel's ledger by then, or it would not be asked.
void strip(Outcome& record) {
  for (DeliveryRequest& delivery : record.deliveries) {
    delivery.payload = nullptr;
    delivery.attributes.clear();
  }
  record.state_writes.clear();
  record.misses.clear();
  record.trace.clear();
}

}  // namespace

std::uint64_t PruneReport::messages() const {
  return std::accumulate(
      channels.begin(), channels.end(), std::uint64_t{0},
      [](std::uint64_t sum, const auto& one) { return sum + one.second.messages; });
}

std::uint64_t PruneReport::bodies() const {
  return std::accumulate(
      channels.begin(), channels.end(), std::uint64_t{0},
      [](std::uint64_t sum, const auto& one) { return sum + one.second.bodies; });
}

// What an attempt's attributes tell stays: the status, and what the other side created.
Record without_bodies(Record record, Timestamp removed) {
  if (auto* accepted = std::get_if<Accepted>(&record)) strip(*accepted, removed);
  if (auto* outcome = std::get_if<Outcome>(&record)) strip(*outcome);
  if (auto* attempt = std::get_if<Attempt>(&record)) attempt->response = nullptr;
  return record;
}

}  // namespace cannula::store
