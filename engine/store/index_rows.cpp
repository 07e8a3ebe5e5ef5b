// The rows of messages and deliveries: read into lives, and written from them.
#include "engine/store/index.h"
#include "engine/store/many_rows.h"

namespace cannula::store {
namespace {

constexpr Rows kNewMessages{
    "INSERT INTO messages (id, channel, state, outcome, received_at, changed_at, "
    "accepted_position, "
    "queued_position, last_ordinal, size, order_keys, partner, code, texts, trail, "
    "place, edited_from, bodies_removed) VALUES ",
    18};
constexpr std::string_view kUpdateMessage =
    "UPDATE messages SET state = ?2, outcome = ?3, changed_at = ?4, queued_position = ?5, "
    "last_ordinal = ?6, order_keys = ?7, code = ?8, texts = ?9, trail = ?10, place = ?11, "
    "bodies_removed = ?12 "
    "WHERE id = ?1";
constexpr std::string_view kSelectMessage =
    "SELECT channel, state, outcome, received_at, changed_at, accepted_position, queued_position, "
    "last_ordinal, size, order_keys, partner, code, texts, trail, place, edited_from, "
    "bodies_removed "
    "FROM messages WHERE id = ?";
// A row that is there is replaced.
constexpr Rows kDeliveries{
    "REPLACE INTO deliveries (message, ordinal, channel, destination, state, attempts, "
    "priority, handler_pending, changed_at, next_at, outcome_position, queued_position, "
    "attempt_position, order_keys, code, reason, place) VALUES ",
    17};
constexpr std::string_view kSelectDeliveries =
    "SELECT ordinal, destination, state, attempts, priority, handler_pending, changed_at, next_at, "
    "outcome_position, queued_position, attempt_position, order_keys, code, reason, place "
    "FROM deliveries WHERE message = ? ORDER BY ordinal";

template <class State>
std::int64_t number_of(State state) {
  return static_cast<std::int64_t>(state);
}

}  // namespace

Result<bool> Index::load(MessageLife& life) {
  Statement& select = *TRY(connection_->prepared(kSelectMessage));
  select.bind_unsigned(1, life.row.id.value);
  if (!TRY(select.step())) return false;
  const std::int64_t channel = select.integer(0);
  const std::int64_t partner = select.integer(10);
  life.row.state = static_cast<MessageState>(select.integer(1));
  life.stored = life.row.state;
  life.outcome = static_cast<MessageState>(select.integer(2));
  life.row.received_at = select.integer(3);
  life.row.changed_at = select.integer(4);
  life.row.accepted_at_position = select.unsigned_integer(5);
  life.queued_position = select.unsigned_integer(6);
  life.last_ordinal = static_cast<std::uint32_t>(select.integer(7));
  life.row.size = select.unsigned_integer(8);
  life.row.order_keys = unpacked(select.text(9));
  life.row.code = select.text(11);
  const std::string sealed(select.text(12));
  life.trail = select.text(13);
  life.row.place = select.text(14);
  life.row.edited_from.value = select.unsigned_integer(15);
  life.row.bodies_removed = select.integer(16);
  select.reset();
  const auto texts = TRY(parted(TRY(seal_.open({'m', life.row.id.value}, sealed)), 3));
  life.row.event = texts[0];
  life.row.control_id = texts[1];
  life.row.reason = texts[2];
  life.row.channel = TRY(text_of_name(channel));
  if (partner != 0) life.row.partner = TRY(text_of_name(partner));
  const auto positions = trail_positions(life.row.accepted_at_position, life.trail);
  life.last_position = positions.empty() ? 0 : positions.back();
  TRY(load_deliveries(life));
  return true;
}

Result<void> Index::load_deliveries(MessageLife& life) {
  Statement& select = *TRY(connection_->prepared(kSelectDeliveries));
  select.bind_unsigned(1, life.row.id.value);
  while (TRY(select.step())) {
    DeliveryLife delivery;
    DeliveryRow& row = delivery.row;
    row.id = life.row.id;
    row.channel = life.row.channel;
    row.ordinal = static_cast<std::uint32_t>(select.integer(0));
    row.destination = TRY(text_of_name(select.integer(1)));
    row.state = static_cast<DeliveryState>(select.integer(2));
    row.attempts = static_cast<std::uint32_t>(select.integer(3));
    row.priority = static_cast<std::uint8_t>(select.integer(4));
    row.handler_pending = select.integer(5) != 0;
    row.changed_at = select.integer(6);
    row.next_at = select.integer(7);
    row.outcome_position = select.unsigned_integer(8);
    row.queued = select.unsigned_integer(9);
    row.attempt_position = select.unsigned_integer(10);
    row.order_keys = unpacked(select.text(11));
    row.code = select.text(12);
    row.reason = TRY(seal_.open({'d', row.id.value, row.ordinal}, select.text(13)));
    row.place = select.text(14);
    delivery.stored = row.state;
    life.deliveries.push_back(std::move(delivery));
  }
  return {};
}

// Each changed row once: new messages and deliveries many by one statement.
Result<void> Index::write_messages() {
  std::vector<const MessageLife*> fresh;
  std::vector<const DeliveryLife*> deliveries;
  for (const MessageId id : changed_) {
    const MessageLife& life = lives_.at(id);
    if (life.forgotten) {
      TRY(delete_message(life));
      continue;
    }
    TRY(count(life));
    if (life.stored) {
      TRY(update_message(life));
    } else {
      fresh.push_back(&life);
    }
    for (const DeliveryLife& delivery : life.deliveries) {
      if (!delivery.changed) continue;
      TRY(count(delivery));
      deliveries.push_back(&delivery);
    }
  }
  TRY(insert_messages(fresh));
  return put_deliveries(deliveries);
}

Result<void> Index::count(const MessageLife& life) {
  if (life.stored == life.row.state) return {};
  const std::int64_t channel = TRY(name(life.row.channel));
  if (life.stored) --count_changes_[{channel, 0, static_cast<int>(*life.stored)}];
  ++count_changes_[{channel, 0, static_cast<int>(life.row.state)}];
  return {};
}

Result<void> Index::count(const DeliveryLife& delivery) {
  const DeliveryRow& row = delivery.row;
  if (delivery.stored == row.state) return {};
  const std::int64_t channel = TRY(name(row.channel));
  const std::int64_t destination = TRY(name(row.destination));
  if (delivery.stored) --count_changes_[{channel, destination, static_cast<int>(*delivery.stored)}];
  ++count_changes_[{channel, destination, static_cast<int>(row.state)}];
  return {};
}

Result<void> Index::delete_message(const MessageLife& life) {
  if (!life.stored) return {};
  const std::int64_t channel = TRY(name(life.row.channel));
  --count_changes_[{channel, 0, static_cast<int>(*life.stored)}];
  for (const DeliveryLife& delivery : life.deliveries) {
    if (!delivery.stored) continue;
    const std::int64_t destination = TRY(name(delivery.row.destination));
    --count_changes_[{channel, destination, static_cast<int>(*delivery.stored)}];
  }
  Statement& deliveries = *TRY(connection_->prepared("DELETE FROM deliveries WHERE message = ?"));
  TRY(deliveries.bind_unsigned(1, life.row.id.value).run());
  Statement& message = *TRY(connection_->prepared("DELETE FROM messages WHERE id = ?"));
  return message.bind_unsigned(1, life.row.id.value).run();
}

Result<std::string> Index::sealed_texts(const MessageRow& row) const {
  return seal_.seal(row.channel, {'m', row.id.value},
                    joined({row.event, row.control_id, row.reason}));
}

Result<void> Index::insert_messages(std::span<const MessageLife* const> lives) {
  const auto bind = [this](Statement& insert, int before, const MessageLife& life,
                           std::deque<std::string>& kept) -> Result<void> {
    const MessageRow& row = life.row;
    const std::int64_t partner = row.partner.empty() ? 0 : TRY(name(row.partner));
    insert.bind_unsigned(before + 1, row.id.value)
        .bind(before + 2, TRY(name(row.channel)))
        .bind(before + 3, number_of(row.state))
        .bind(before + 4, number_of(life.outcome))
        .bind(before + 5, row.received_at)
        .bind(before + 6, row.changed_at)
        .bind_unsigned(before + 7, row.accepted_at_position)
        .bind_unsigned(before + 8, life.queued_position)
        .bind(before + 9, std::int64_t{life.last_ordinal})
        .bind_unsigned(before + 10, row.size)
        .bind_blob(before + 11, kept.emplace_back(packed(row.order_keys)))
        .bind(before + 12, partner)
        .bind(before + 13, row.code)
        .bind_blob(before + 14, kept.emplace_back(TRY(sealed_texts(row))))
        .bind_blob(before + 15, life.trail)
        .bind(before + 16, row.place)
        .bind_unless_0(before + 17, row.edited_from.value)
        .bind_unless_0(before + 18, static_cast<std::uint64_t>(row.bodies_removed));
    return {};
  };
  return put_rows(*connection_, kNewMessages, lives, bind);
}

Result<void> Index::update_message(const MessageLife& life) {
  const std::string order_keys = packed(life.row.order_keys);
  const std::string texts = TRY(sealed_texts(life.row));
  Statement& update = *TRY(connection_->prepared(kUpdateMessage));
  update.bind_unsigned(1, life.row.id.value)
      .bind(2, number_of(life.row.state))
      .bind(3, number_of(life.outcome))
      .bind(4, life.row.changed_at)
      .bind_unsigned(5, life.queued_position)
      .bind(6, std::int64_t{life.last_ordinal})
      .bind_blob(7, order_keys)
      .bind(8, life.row.code)
      .bind_blob(9, texts)
      .bind_blob(10, life.trail)
      .bind(11, life.row.place)
      .bind_unless_0(12, static_cast<std::uint64_t>(life.row.bodies_removed));
  TRY(update.run());
  // Rows go by delete_message() alone, and their lives with them: nothing may take one away
  // between the reading of a row and its update.
  if (connection_->changed_rows() == 1) return {};
  return Error{"J302", "index: the row of message " + life.row.id.text() + " is not there any more",
               "it is rebuilt from the journal"};
}

Result<void> Index::put_deliveries(std::span<const DeliveryLife* const> lives) {
  const auto bind = [this](Statement& put, int before, const DeliveryLife& life,
                           std::deque<std::string>& kept) -> Result<void> {
    const DeliveryRow& row = life.row;
    put.bind_unsigned(before + 1, row.id.value)
        .bind(before + 2, std::int64_t{row.ordinal})
        .bind(before + 3, TRY(name(row.channel)))
        .bind(before + 4, TRY(name(row.destination)))
        .bind(before + 5, number_of(row.state))
        .bind(before + 6, std::int64_t{row.attempts})
        .bind(before + 7, std::int64_t{row.priority})
        .bind(before + 8, std::int64_t{row.handler_pending})
        .bind(before + 9, row.changed_at)
        .bind(before + 10, row.next_at)
        .bind_unsigned(before + 11, row.outcome_position)
        .bind_unsigned(before + 12, row.queued)
        .bind_unsigned(before + 13, row.attempt_position)
        .bind_blob(before + 14, kept.emplace_back(packed(row.order_keys)))
        .bind(before + 15, row.code)
        .bind_blob(before + 16, kept.emplace_back(TRY(seal_.seal(
                                    row.channel, {'d', row.id.value, row.ordinal}, row.reason))))
        .bind(before + 17, row.place);
    return {};
  };
  return put_rows(*connection_, kDeliveries, lives, bind);
}

}  // namespace cannula::store
