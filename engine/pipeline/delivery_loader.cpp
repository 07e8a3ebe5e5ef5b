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

constexpr int kMostEdits = 100;  // of one message, looked back through

// Of a batch, entries that were created although others were refused.
bool delivered_in_part(const store::Attempt& attempt) {
  return attempt.state == store::DeliveryState::dead &&
         attempt.attributes.find("\"created\":[") != std::string::npos;
}

// Of the last attempt that delivered it, if only in part; null when none did.
const store::Attempt* last_delivery(const std::vector<store::Record>& trail,
                                    std::uint32_t ordinal) {
  for (auto record = trail.rbegin(); record != trail.rend(); ++record) {
    const auto* attempt = std::get_if<store::Attempt>(&*record);
    if (!attempt || attempt->ordinal != ordinal) continue;
    if (attempt->state == store::DeliveryState::delivered || delivered_in_part(*attempt))
      return attempt;
  }
  return nullptr;
}

// The number of the n-th delivery that a run of the script asked for; 0 when there is none.
std::uint32_t ordinal_of(const store::Outcome& outcome, const std::string& destination,
                         std::size_t n) {
  for (const store::DeliveryRequest& request : outcome.deliveries) {
    if (request.destination == destination && --n == 0) return request.ordinal;
  }
  return 0;
}

}  // namespace

bool may_be_read_later(const Error& error) {
  return store::is_readable_elsewhere(error) || error.code == "J104";
}

std::string among_of(const store::Outcome& outcome, const store::DeliveryRequest& request) {
  if (outcome.cause != 0) return "r" + std::to_string(request.ordinal);
  const auto n =
      std::count_if(outcome.deliveries.begin(), outcome.deliveries.end(), [&](const auto& other) {
        return other.destination == request.destination && other.ordinal <= request.ordinal;
      });
  return n > 1 ? std::to_string(n) : std::string();
}

Result<std::string> delivered_before(const store::Store& store, MessageId id,
                                     const std::string& destination, std::size_t n) {
  for (int edits = 0; id && n > 0 && edits < kMostEdits; ++edits) {
    const std::vector<store::Record> trail = TRY(store.trail(id));
    id = MessageId{};
    for (auto record = trail.rbegin(); record != trail.rend(); ++record) {
      if (const auto* accepted = std::get_if<store::Accepted>(&*record)) id = accepted->edited_from;
      const auto* outcome = std::get_if<store::Outcome>(&*record);
      if (!outcome || outcome->cause != 0) continue;
      const std::uint32_t ordinal = ordinal_of(*outcome, destination, n);
      const store::Attempt* delivery = ordinal != 0 ? last_delivery(trail, ordinal) : nullptr;
      if (delivery) return delivery->attributes;
    }
  }
  return std::string();
}

Result<LoadedDelivery> load_delivery(const store::Store& store, MessageId id, std::uint32_t ordinal,
                                     store::Position outcome, store::Position queued) {
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
  loaded.among = among_of(*asked, *request);
  if (queued != outcome) {
    const std::vector<store::Record> trail = TRY(store.trail(id));
    if (const store::Attempt* before = last_delivery(trail, ordinal))
      loaded.before = before->attributes;
  }
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
