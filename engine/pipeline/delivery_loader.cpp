#include "engine/pipeline/delivery_loader.h"

namespace cannula::pipeline {
namespace {

Error missing(MessageId id, std::uint32_t ordinal, std::string_view what) {
  return Error{"P301",
               "delivery " + std::to_string(ordinal) + " of message " + id.text() + ": its " +
                   std::string(what) + " is not in the journal",
               "run `cannula store check`; a damaged segment may have to be restored from a backup",
               std::nullopt};
}

}  // namespace

Result<LoadedDelivery> load_delivery(const store::Store& store, MessageId id, std::uint32_t ordinal,
                                     store::Position outcome) {
  store::Record record = TRY(store.read(outcome));
  auto* asked = std::get_if<store::Outcome>(&record);
  if (!asked || asked->id != id) return missing(id, ordinal, "outcome");
  auto request = std::find_if(asked->deliveries.begin(), asked->deliveries.end(),
                              [&](const auto& delivery) { return delivery.ordinal == ordinal; });
  if (request == asked->deliveries.end()) return missing(id, ordinal, "payload");

  auto row = TRY(store.message(id));
  if (!row) return missing(id, ordinal, "message");
  LoadedDelivery loaded{request->payload, row->event, row->accepted_at_position,
                        request->attributes};
  if (!loaded.payload) {
    store::Record first = TRY(store.read(row->accepted_at_position));
    auto* accepted = std::get_if<store::Accepted>(&first);
    if (!accepted) return missing(id, ordinal, "received message");
    loaded.payload = accepted->body;
  }
  return loaded;
}

Result<std::chrono::milliseconds> tried_for(const store::Store& store,
                                            const store::DeliveryRow& row,
                                            std::chrono::milliseconds longest_wait) {
  store::Timestamp first = 0, last = 0;
  for (const store::Record& record : TRY(store.trail(row.id))) {
    const auto* attempt = std::get_if<store::Attempt>(&record);
    if (!attempt || attempt->ordinal != row.ordinal) continue;
    if (attempt->number == 1) first = attempt->at;
    last = attempt->at;
  }
  if (first == 0) first = last;
  const auto most = row.attempts * std::max(longest_wait, std::chrono::milliseconds(60'000));
  return std::clamp(std::chrono::milliseconds((last - first) / 1000), std::chrono::milliseconds(0),
                    most);
}

}  // namespace cannula::pipeline
