// A message and its deliveries as its records leave them: what each record changes, and what state
// follows. No I/O, so that the rules can be tested by themselves. They are described in README.md
// under "States".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/store/record.h"
#include "engine/store/store.h"

namespace cannula::store {

// Something is still to happen to it: an attempt, an on_response, or a person's decision.
bool is_open(const DeliveryRow& delivery);

struct DeliveryLife {
  DeliveryRow row;
  std::optional<DeliveryState> stored;  // its state in the index file; nothing: not there yet
  bool changed = false;
};

struct MessageLife {
  MessageRow row;
  MessageState outcome =
      MessageState::accepted;    // of intake, the script or a person, before what deliveries add
  Position queued_position = 0;  // its Accepted, or its last Resent
  std::uint32_t last_ordinal = 0;
  // Positions of its records but the Accepted, each as a varint of its distance from the one
  // before.
  std::string trail;
  Position last_position = 0;
  std::vector<DeliveryLife> deliveries;  // by rising ordinal

  std::optional<MessageState> stored;  // its state in the index file; nothing: not there yet
  bool changed = false;
  bool forgotten = false;  // its rows are to go

  void apply(const Record& record, Position position);
  // Nothing more is expected to happen to it.
  bool settled() const;

 private:
  void apply(const Accepted& record, Position position);
  void apply(const Outcome& record, Position position);
  void apply(const Attempt& record, Position position);
  void apply(const Resent& record, Position position);
  void apply(const Discarded& record, Position position);
  // Not of one message: the index's.
  void apply(const Forgotten&, Position) {}
  void apply(const Ledger&, Position) {}

  bool has_delivery(std::uint32_t ordinal) const;
  DeliveryLife& delivery(std::uint32_t ordinal);
  MessageState derived_state() const;
  void explain_dead_delivery(MessageState before);
};

// "main.lua:12" when the reason of a failure begins with a place of a script; empty when it does
// not. Without the folders, which depend on how the site was named; no more of the reason, which
// may quote a patient.
std::string place_in_script(std::string_view reason);

// Order keys as the index keeps them: eight bytes each.
std::string packed(const OrderKeys& keys);
OrderKeys unpacked(std::string_view bytes);

// Positions of all records of a message, in order.
std::vector<Position> trail_positions(Position accepted, std::string_view trail);

}  // namespace cannula::store
