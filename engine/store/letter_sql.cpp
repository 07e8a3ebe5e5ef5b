#include "engine/store/letter_sql.h"

#include <fmt/ranges.h>

namespace cannula::store {
namespace {

std::string conditions(const LetterQuery& query, const Numbers& channels,
                       const Numbers& destinations) {
  std::string text = and_among("channel", channels) + and_among("destination", destinations);
  if (!query.code.empty()) text += " AND code = ?1";
  if (query.place) text += query.place->empty() ? " AND place IS NULL" : " AND place = ?2";
  if (query.from != 0) text += " AND changed_at >= ?3";
  if (query.to != 0) text += " AND changed_at < ?4";
  return text;
}

// What is dead or held has an index by cause, what waits has one by its place in the queue. What
// was delivered is looked for in all of it.
LetterArm delivery_arm(DeliveryState state, const std::string& conditions) {
  const int number = static_cast<int>(state);
  const bool stuck = state == DeliveryState::held || state == DeliveryState::dead;
  const bool waits = state < DeliveryState::held;
  const std::string from = fmt::format("FROM deliveries{} WHERE {}state = {}{}",
                                       stuck   ? " INDEXED BY deliveries_stuck"
                                       : waits ? " INDEXED BY deliveries_waiting"
                                               : "",
                                       waits ? "state < 3 AND " : "", number, conditions);
  return {false, number, "SELECT message, ordinal " + from,
          "SELECT channel, destination, code, place, count(*), min(changed_at), max(changed_at), "
          "max(message) " +
              from + " GROUP BY channel, destination, code, place"};
}

// Whether a message died by itself is in its outcome: its state may also be a delivery's.
LetterArm message_arm(MessageState state, const std::string& conditions) {
  const int number = static_cast<int>(state);
  const std::string from =
      state == MessageState::dead
          ? fmt::format("FROM messages INDEXED BY messages_dead WHERE outcome = {}{}", number,
                        conditions)
          // A duplicate has no body that could be worked.
          : fmt::format("FROM messages WHERE state = {} AND (code IS NULL OR code <> '{}'){}",
                        number, kDuplicate, conditions);
  return {true, number, "SELECT id, 0 " + from,
          "SELECT channel, 0, code, place, count(*), min(changed_at), max(changed_at), max(id) " +
              from + " GROUP BY channel, code, place"};
}

}  // namespace

std::string and_among(std::string_view column, const Numbers& numbers) {
  if (!numbers) return {};
  if (numbers->size() == 1) return fmt::format(" AND {} = {}", column, numbers->front());
  return fmt::format(" AND {} IN ({})", column, fmt::join(*numbers, ", "));
}

std::vector<LetterArm> letter_arms(const LetterQuery& query, const Numbers& channels,
                                   const Numbers& destinations) {
  const std::string narrowed = conditions(query, channels, destinations);
  std::vector<LetterArm> arms;
  for (const DeliveryState state : query.deliveries) arms.push_back(delivery_arm(state, narrowed));
  if (!query.destination.empty()) return arms;
  for (const MessageState state : query.messages) arms.push_back(message_arm(state, narrowed));
  return arms;
}

}  // namespace cannula::store
