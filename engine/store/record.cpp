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

std::size_t size_of(const Bytes& bytes) {
  return bytes ? bytes->size() : 0;
}

std::size_t parts_of(const std::vector<StateWrite>& writes) {
  std::size_t size = 0;
  for (const StateWrite& write : writes) {
    size += sizeof write + write.key.size() + (write.value ? write.value->size() : 0);
  }
  return size;
}

std::size_t parts_of(const Accepted& record) {
  return size_of(record.body) + record.attributes.size() + parts_of(record.wire_state);
}

std::size_t parts_of(const Outcome& record) {
  std::size_t size = record.trace.size() + record.reason.size() + parts_of(record.state_writes);
  for (const DeliveryRequest& delivery : record.deliveries) {
    size += sizeof delivery + size_of(delivery.payload) + delivery.attributes.size();
  }
  for (const Miss& miss : record.misses) {
    size += sizeof miss + miss.table.size() + miss.key.size() + miss.text.size();
  }
  return size;
}

std::size_t parts_of(const Attempt& record) {
  return size_of(record.response) + record.reason.size() + record.attributes.size() +
         parts_of(record.wire_state);
}

std::size_t parts_of(const Forgotten& record) {
  std::size_t size = 0;
  for (const Forgotten::Entry& entry : record.entries) {
    size += sizeof entry + entry.pieces.size() * sizeof(Forgotten::Piece);
  }
  return size;
}

std::size_t parts_of(const Ledger& record) {
  return parts_of(record.state) + parts_of(record.wire_state) +
         record.missed.size() * sizeof(Ledger::Missed);
}

std::size_t parts_of(const Resent&) {
  return 0;
}
std::size_t parts_of(const Discarded&) {
  return 0;
}

}  // namespace

std::size_t memory_of(const Record& record) {
  return sizeof record + std::visit([](const auto& kind) { return parts_of(kind); }, record);
}

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
