#include "engine/ops/ages.h"

#include <algorithm>

namespace cannula::ops {

std::optional<store::Timestamp> last_received(const store::Store& store, const Names& channel) {
  std::optional<store::Timestamp> last;
  for (const std::string& name : channel) {
    const auto rows = store.messages({.channel = name, .newest_first = true, .limit = 1});
    if (!rows || rows->empty()) continue;
    last = std::max(last.value_or(0), rows->front().received_at);
  }
  return last;
}

std::optional<store::Timestamp> oldest_waiting(const store::Store& store, const Names& channel,
                                               const Names& destination) {
  std::optional<store::Timestamp> oldest;
  for (const std::string& from : channel) {
    for (const std::string& to : destination) {
      const auto first = store.waiting_deliveries(from, to, 0, 0, 1);
      if (!first || first->empty()) continue;
      const auto message = store.message(first->front().id);
      if (!message || !*message) continue;
      const store::Timestamp received = (*message)->received_at;
      oldest = std::min(oldest.value_or(received), received);
    }
  }
  return oldest;
}

}  // namespace cannula::ops
