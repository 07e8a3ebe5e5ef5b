// What a person may do to a message, asked of the store before anything is written. Each answers
// with P304, P308 or P311 and what is there instead when it may not be done.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/store/store.h"

namespace cannula::pipeline {

// The message, if there is one and (ordinal not 0) it has that delivery.
Result<store::MessageRow> known_message(const store::Store& store, MessageId id,
                                        std::uint32_t ordinal);
// The same, if putting it back to work would not do again what is still under way.
Result<store::MessageRow> may_resend(const store::Store& store, MessageId id,
                                     std::uint32_t ordinal);
// The same, if there is anything to end: what was delivered or has ended stays as it is.
Result<store::MessageRow> may_discard(const store::Store& store, MessageId id,
                                      std::uint32_t ordinal);
// The delivery is being made without anyone's doing: queued or retrying.
Result<bool> is_open(const store::Store& store, MessageId id, std::uint32_t ordinal);

// One of many that a person sends again or ends, as it stands.
struct Chosen {
  store::MessageRow message;
  std::vector<store::DeliveryRow> deliveries;  // all of the message
  std::uint32_t ordinal = 0;                   // 0: the message

  const store::DeliveryRow* delivery() const;  // the one of `ordinal`; null for the message
};
// Those of `letters` that may be put back to work, or ended, as things stand. Deliveries that are
// still being made are no such: nothing is sent twice because two people ask for it.
//
// `of`: what they were found by. Those that have left its states meanwhile are passed over.
Result<std::vector<Chosen>> those_to_resend(const store::Store& store,
                                            std::span<const store::Letter> letters,
                                            const store::LetterQuery& of = {});
Result<std::vector<Chosen>> those_to_discard(const store::Store& store,
                                             std::span<const store::Letter> letters,
                                             const store::LetterQuery& of = {});
std::vector<store::Record> resent_records(std::span<const Chosen> chosen, const std::string& actor,
                                          const std::string& reason);
std::vector<store::Record> discarded_records(std::span<const Chosen> chosen,
                                             const std::string& actor, const std::string& reason);

// What became of many: how many it was done to, and how many had gone on or ended by then.
struct BulkDone {
  std::size_t done = 0;
  std::size_t passed_over = 0;
  // Of what was discarded, the deliveries at which an attempt was under way: such a one may still
  // be delivered, and counts as that then.
  std::size_t under_way = 0;
};

// The message that a person makes of `original`, with another body: of the same channel and sender,
// and linked to it.
store::Accepted edited_record(const store::Accepted& original, Bytes body, const std::string& actor,
                              const std::string& reason);
// It ended badly or waits for a person: an edited one takes its place.
bool is_replaced_by_edit(const store::MessageRow& message);

}  // namespace cannula::pipeline
