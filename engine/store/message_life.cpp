#include "engine/store/message_life.h"

#include <fmt/format.h>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::string_view kDiscarded = "discarded";

// Whether an answer that was handled so ends its message. Where the handler had nothing to say, or
// more to send, what becomes of the message is still for its deliveries to tell.
bool ends(MessageState handled) {
  return handled != MessageState::queued && handled != MessageState::done;
}

void append_varint(std::string& into, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) into.push_back(static_cast<char>(value | 0x80));
  into.push_back(static_cast<char>(value));
}

std::string by(const std::string& actor, const std::string& reason) {
  return reason.empty() ? fmt::format("by {}", actor) : fmt::format("by {}: {}", actor, reason);
}

// "status 422" of an attempt whose answer had one: the other side's first word on why.
std::string place_in_answer(std::string_view attributes) {
  constexpr std::string_view kBegin = "{\"status\":";
  if (!attributes.starts_with(kBegin)) return {};
  const std::size_t end = attributes.find_first_not_of("0123456789", kBegin.size());
  if (end == kBegin.size() || end > kBegin.size() + 4) return {};
  return "status " + std::string(attributes.substr(kBegin.size(), end - kBegin.size()));
}

void discard(DeliveryLife& delivery, const Discarded& record) {
  delivery.changed = true;
  delivery.row.handler_pending = false;
  if (delivery.row.state == DeliveryState::delivered) return;  // what is delivered stays so
  delivery.row.state = DeliveryState::discarded;
  delivery.row.code = kDiscarded;
  delivery.row.place.clear();
  delivery.row.reason = by(record.actor, record.reason);
  delivery.row.changed_at = record.at;
  delivery.row.next_at = 0;
}

}  // namespace

bool is_open(const DeliveryRow& delivery) {
  return delivery.handler_pending || delivery.state == DeliveryState::queued ||
         delivery.state == DeliveryState::retrying || delivery.state == DeliveryState::held;
}

void MessageLife::apply(const Record& record, Position position) {
  if (!std::holds_alternative<Accepted>(record)) {
    append_varint(trail, position - last_position);
  }
  last_position = position;
  changed = true;
  std::visit([&](const auto& kind) { apply(kind, position); }, record);
  const MessageState before = std::exchange(row.state, derived_state());
  if (outcome == MessageState::queued) explain_dead_delivery(before);
}

// A message is dead because of a delivery: a list of dead messages should say of which, and why.
void MessageLife::explain_dead_delivery(MessageState before) {
  if (row.state == MessageState::dead) {
    for (const DeliveryLife& delivery : deliveries) {
      if (delivery.row.state != DeliveryState::dead) continue;
      row.code = delivery.row.code;
      row.reason = delivery.row.destination + ": " + delivery.row.reason;
      return;
    }
  }
  if (before == MessageState::dead) {
    row.code.clear();
    row.reason.clear();
  }
}

bool MessageLife::settled() const {
  return row.state == MessageState::done || row.state == MessageState::filtered ||
         row.state == MessageState::rejected || row.state == MessageState::discarded;
}

MessageState MessageLife::derived_state() const {
  if (outcome != MessageState::queued) return outcome;
  bool any_dead = false;
  bool any_delivered = false;
  bool any_discarded = false;
  for (const DeliveryLife& delivery : deliveries) {
    if (is_open(delivery.row)) return MessageState::queued;
    any_dead = any_dead || delivery.row.state == DeliveryState::dead;
    any_delivered = any_delivered || delivery.row.state == DeliveryState::delivered;
    any_discarded = any_discarded || delivery.row.state == DeliveryState::discarded;
  }
  if (any_dead) return MessageState::dead;
  return any_discarded && !any_delivered ? MessageState::discarded : MessageState::done;
}

bool MessageLife::has_delivery(std::uint32_t ordinal) const {
  return std::any_of(deliveries.begin(), deliveries.end(),
                     [ordinal](const DeliveryLife& one) { return one.row.ordinal == ordinal; });
}

DeliveryLife& MessageLife::delivery(std::uint32_t ordinal) {
  const auto place = std::lower_bound(
      deliveries.begin(), deliveries.end(), ordinal,
      [](const DeliveryLife& one, std::uint32_t wanted) { return one.row.ordinal < wanted; });
  if (place != deliveries.end() && place->row.ordinal == ordinal) return *place;
  DeliveryLife added;
  added.row.id = row.id;
  added.row.ordinal = ordinal;
  added.row.channel = row.channel;
  last_ordinal = std::max(last_ordinal, ordinal);
  return *deliveries.insert(place, std::move(added));
}

void MessageLife::apply(const Accepted& record, Position position) {
  row.id = record.id;
  row.channel = record.channel;
  row.received_at = record.at;
  row.changed_at = record.at;
  row.event = record.event;
  row.control_id = record.control_id;
  row.partner = record.partner;
  row.code = record.refusal_code;
  row.reason = record.refusal;
  row.size = record.body ? record.body->size() : record.removed_size;
  row.bodies_removed = record.bodies_removed;
  row.edited_from = record.edited_from;
  row.accepted_at_position = position;
  queued_position = position;
  outcome = record.refusal_code.empty()          ? MessageState::accepted
            : needs_no_work(record.refusal_code) ? MessageState::filtered
                                                 : MessageState::rejected;
}

void MessageLife::apply(const Outcome& record, Position position) {
  row.changed_at = record.at;
  if (record.cause == 0) {
    outcome = record.state;
    row.order_keys = record.order_keys;
  } else {
    delivery(record.cause).row.handler_pending = false;
    delivery(record.cause).changed = true;
    if (ends(record.state)) outcome = record.state;
  }
  if (record.cause == 0 || ends(record.state)) {
    row.code = record.code;
    row.reason = record.reason;
    row.place = place_in_script(record.reason);
  }
  for (const DeliveryRequest& request : record.deliveries) {
    DeliveryLife& added = delivery(request.ordinal);
    added.changed = true;
    added.row.destination = request.destination;
    added.row.state = DeliveryState::queued;
    added.row.order_keys = request.order_keys;
    added.row.priority = request.priority;
    added.row.changed_at = record.at;
    added.row.outcome_position = position;
    added.row.queued = position;
  }
}

void MessageLife::apply(const Attempt& record, Position position) {
  DeliveryLife& tried = delivery(record.ordinal);
  tried.changed = true;
  tried.row.attempt_position = position;
  row.changed_at = record.at;
  if (tried.row.state == DeliveryState::discarded && record.state != DeliveryState::delivered) {
    return;  // it was under way when a person ended it
  }
  if (tried.row.state == DeliveryState::delivered && record.state == DeliveryState::retrying) {
    return;  // of an earlier attempt, written late
  }
  tried.row.destination = record.destination;
  tried.row.state = record.state;
  tried.row.attempts = record.number;
  tried.row.changed_at = record.at;
  tried.row.next_at = record.state == DeliveryState::retrying ? record.next_at : 0;
  tried.row.code = record.code;
  tried.row.reason = record.reason;
  tried.row.place = place_in_answer(record.attributes);
  tried.row.handler_pending = record.wants_handler;
}

void MessageLife::apply(const Resent& record, Position position) {
  row.changed_at = record.at;
  if (record.ordinal == 0) {
    outcome = MessageState::accepted;
    queued_position = position;
    row.code.clear();
    row.reason.clear();
    row.place.clear();
    for (DeliveryLife& one : deliveries) {  // what it sends now takes the place of what died
      if (one.row.state != DeliveryState::dead) continue;
      discard(one, {record.id, record.channel, one.row.ordinal, record.at, record.actor,
                    "the message was sent again"});
    }
    return;
  }
  if (!has_delivery(record.ordinal)) return;
  DeliveryLife& again = delivery(record.ordinal);
  again.changed = true;
  again.row.state = DeliveryState::queued;
  again.row.queued = position;
  again.row.attempts = 0;
  again.row.next_at = 0;
  again.row.changed_at = record.at;
  again.row.code.clear();
  again.row.reason.clear();
  again.row.place.clear();
  again.row.handler_pending = false;
}

void MessageLife::apply(const Discarded& record, Position) {
  row.changed_at = record.at;
  if (record.ordinal != 0) {
    if (has_delivery(record.ordinal)) discard(delivery(record.ordinal), record);
    return;
  }
  outcome = MessageState::discarded;
  row.code = kDiscarded;
  row.place.clear();
  row.reason = by(record.actor, record.reason);
  for (DeliveryLife& one : deliveries) {
    if (is_open(one.row) || one.row.state == DeliveryState::dead) discard(one, record);
  }
}

std::string place_in_script(std::string_view reason) {
  const std::size_t colon = reason.find(':');
  if (colon == std::string_view::npos) return {};
  const std::size_t end =
      std::min(reason.find_first_not_of("0123456789", colon + 1), reason.size());
  const bool is_place = end > colon + 1 && reason.find(' ') > end - 1;
  if (!is_place) return {};
  const std::size_t slash = reason.rfind('/', colon);
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  return std::string(reason.substr(begin, end - begin));
}

std::string packed(const OrderKeys& keys) {
  std::string bytes(keys.size() * sizeof(std::uint64_t), '\0');
  for (std::size_t i = 0; i < keys.size(); ++i) {
    put_u64(bytes.data() + i * sizeof(std::uint64_t), keys[i]);
  }
  return bytes;
}

OrderKeys unpacked(std::string_view bytes) {
  OrderKeys keys(bytes.size() / sizeof(std::uint64_t));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = get_u64(bytes.data() + i * sizeof(std::uint64_t));
  }
  return keys;
}

std::vector<Position> trail_positions(Position accepted, std::string_view trail) {
  std::vector<Position> positions;
  if (accepted != 0) positions.push_back(accepted);
  Position position = accepted;
  std::uint64_t distance = 0;
  unsigned shift = 0;
  for (const char c : trail) {
    const auto byte = static_cast<unsigned char>(c);
    if (shift < 64) distance |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    shift += 7;
    if (byte >= 0x80) continue;
    position += distance;
    positions.push_back(position);
    distance = 0;
    shift = 0;
  }
  return positions;
}

}  // namespace cannula::store
