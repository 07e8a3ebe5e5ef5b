#include "engine/store/record.h"

namespace cannula::store {
namespace {

constexpr std::array<std::string_view, 8> kMessageStates = {
    "accepted", "queued", "done", "filtered", "parked", "rejected", "dead", "discarded"};
constexpr std::array<std::string_view, 6> kDeliveryStates = {"queued",    "retrying", "held",
                                                             "delivered", "dead",     "discarded"};

template <class State, std::size_t Size>
std::optional<State> find(const std::array<std::string_view, Size>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<State>(found - names.begin());
}

}  // namespace

bool needs_no_work(std::string_view refusal_code) {
  return refusal_code == kDuplicate || refusal_code == kLinkMessage ||
         refusal_code == kNumberRepeated;
}

std::string_view name_of(MessageState state) {
  return kMessageStates[static_cast<std::size_t>(state)];
}

std::string_view name_of(DeliveryState state) {
  return kDeliveryStates[static_cast<std::size_t>(state)];
}

std::optional<MessageState> message_state(std::string_view name) {
  return find<MessageState>(kMessageStates, name);
}

std::optional<DeliveryState> delivery_state(std::string_view name) {
  return find<DeliveryState>(kDeliveryStates, name);
}

}  // namespace cannula::store
