#include "engine/ops/ages.h"

namespace cannula::ops {

std::optional<store::Timestamp> last_received(const store::Store& store,
                                              const std::string& channel) {
  const auto last = store.messages({.channel = channel, .newest_first = true, .limit = 1});
  if (!last || last->empty()) return std::nullopt;
  return last->front().received_at;
}

std::optional<store::Timestamp> oldest_waiting(const store::Store& store,
                                               const std::string& channel,
                                               const std::string& destination) {
  const auto first = store.waiting_deliveries(channel, destination, 0, 0, 1);
  if (!first || first->empty()) return std::nullopt;
  const auto message = store.message(first->front().id);
  if (!message || !*message) return std::nullopt;
  return (*message)->received_at;
}

}  // namespace cannula::ops
