#include "engine/pipeline/acts.h"

#include <fmt/format.h>

namespace cannula::pipeline {
namespace {

bool still_to_be_made(const store::DeliveryRow& delivery) {
  return delivery.state == store::DeliveryState::queued ||
         delivery.state == store::DeliveryState::retrying ||
         delivery.state == store::DeliveryState::held;
}

}  // namespace

Result<store::MessageRow> known_message(const store::Store& store, MessageId id,
                                        std::uint32_t ordinal) {
  auto row = TRY(store.message(id));
  if (!row)
    return Error{"P304", "there is no message " + id.text(), "list them with `cannula msg list`"};
  if (ordinal == 0) return *row;
  const auto deliveries = TRY(store.deliveries(id));
  const bool there = std::any_of(deliveries.begin(), deliveries.end(),
                                 [&](const auto& delivery) { return delivery.ordinal == ordinal; });
  if (there) return *row;
  std::string known;
  for (const auto& delivery : deliveries) {
    known += fmt::format("{}{} to {}", known.empty() ? "" : ", ", delivery.ordinal,
                         delivery.destination);
  }
  return Error{"P304", fmt::format("message {} has no delivery {}", id.text(), ordinal),
               known.empty() ? "it has none" : "it has " + known};
}

Result<store::MessageRow> may_resend(const store::Store& store, MessageId id,
                                     std::uint32_t ordinal) {
  store::MessageRow row = TRY(known_message(store, id, ordinal));
  if (row.state == store::MessageState::accepted) {
    return Error{"P308", "message " + id.text() + " still waits for its script",
                 "nothing needs to be resent"};
  }
  if (ordinal != 0) return row;
  const auto deliveries = TRY(store.deliveries(id));
  const auto open = std::count_if(deliveries.begin(), deliveries.end(), still_to_be_made);
  if (open > 0) {
    return Error{
        "P308", fmt::format("{} deliveries of message {} are still to be made", open, id.text()),
        "`--delivery N` tries one of them at once; to send the message anew, discard it first"};
  }
  return row;
}

Result<store::MessageRow> may_discard(const store::Store& store, MessageId id,
                                      std::uint32_t ordinal) {
  store::MessageRow row = TRY(known_message(store, id, ordinal));
  constexpr std::string_view kHint = "what is parked, held, dead or still to be made is discarded";
  if (ordinal == 0) {
    using store::MessageState;
    const bool ended = row.state == MessageState::done || row.state == MessageState::filtered ||
                       row.state == MessageState::rejected || row.state == MessageState::discarded;
    if (!ended) return row;
    return Error{"P311",
                 fmt::format("message {} is {} already", id.text(), store::name_of(row.state)),
                 std::string(kHint)};
  }
  for (const auto& delivery : TRY(store.deliveries(id))) {
    if (delivery.ordinal != ordinal) continue;
    const bool ended =
        (delivery.state == store::DeliveryState::delivered && !delivery.handler_pending) ||
        delivery.state == store::DeliveryState::discarded;
    if (!ended) break;
    return Error{"P311",
                 fmt::format("delivery {} of message {} is {} already", ordinal, id.text(),
                             store::name_of(delivery.state)),
                 std::string(kHint)};
  }
  return row;
}

Result<bool> is_open(const store::Store& store, MessageId id, std::uint32_t ordinal) {
  for (const auto& delivery : TRY(store.deliveries(id))) {
    if (delivery.ordinal != ordinal) continue;
    return still_to_be_made(delivery) && delivery.state != store::DeliveryState::held;
  }
  return false;
}

}  // namespace cannula::pipeline
