// What the journal remembers: one record for each step of a message's way. The whole truth of a
// store is its sequence of records; everything else (index, queues, counts) follows from them.
// Format on disk: docs/reference/store-format.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "channels/transport/message_id.h"
#include "parsers/text/span.h"

namespace cannula::store {

// Microseconds of wall clock since 1970-01-01 UTC. For people and for sorting; waiting uses the
// monotonic clock.
using Timestamp = std::int64_t;

enum class MessageState : std::uint8_t {
  accepted = 0,   // on disk, its script has not run
  queued = 1,     // the script's outcome is committed; deliveries are under way
  done = 2,       // every delivery has been delivered
  filtered = 3,   // the script said skip
  parked = 4,     // waits for a person
  rejected = 5,   // refused, by intake or by the script
  dead = 6,       // failed for good, with a reason; can be resent
  discarded = 7,  // a person ended it
};

enum class DeliveryState : std::uint8_t {
  queued = 0,
  retrying = 1,  // an attempt failed; waits for the next
  held = 2,      // waits for a person or for an earlier one of its key
  delivered = 3,
  dead = 4,
  discarded = 5,  // a person ended it
};

std::string_view name_of(MessageState state);
std::string_view name_of(DeliveryState state);
std::optional<MessageState> message_state(std::string_view name);
std::optional<DeliveryState> delivery_state(std::string_view name);

// The `refusal_code` of a message that was taken in before: it is kept as filtered, without its
// body.
constexpr std::string_view kDuplicate = "P312";
// Those of messages of the sequence number protocol that are kept as filtered, with their bodies:
// what only starts or resynchronises a link, and what was taken under its number before.
constexpr std::string_view kLinkMessage = "P324";
constexpr std::string_view kNumberRepeated = "P325";
// One of these three: nothing is wrong with the message, and nothing is to be done with it.
bool needs_no_work(std::string_view refusal_code);

struct StateWrite {
  std::string key;
  std::optional<std::string> value;  // nothing = removed
};

// A message was taken in; or, with a `refusal_code`, was refused and is kept as rejected.
struct Accepted {
  MessageId id;  // assigned by the journal at commit; 0 before
  std::string channel;
  Timestamp at = 0;
  std::string peer;     // address
  std::string partner;  // name, empty when the source is open
  std::string event;
  std::string control_id;
  std::string attributes;  // JSON object or empty
  Bytes body;
  std::string refusal_code;
  std::string refusal;
  // A person made it of another message, which stays as it is.
  MessageId edited_from{};  // 0: it came in by itself
  std::string editor{};
  std::string edit_reason{};
  // What the channel's wires must find again after a crash, such as the sequence number that a
  // sender has reached: on disk together with this message or not at all.
  std::vector<StateWrite> wire_state{};
  // When retention removed the bodies of the message (as received, payloads, responses), the
  // transports' attributes and what the script noted; 0: they are there.
  Timestamp bodies_removed{};
  std::uint64_t removed_size{};  // bytes of the body that was removed
};

// Keyed hashes of what a message is kept in order by: none, one, or several (a merge, ADT^A40,
// belongs to the order of both patients: PID-3.1 and MRG-1.1). Two messages that share one keep
// their order.
using OrderKeys = std::vector<std::uint64_t>;

// One delivery that a script asked for. Its idempotency key is "<message
// id>-<destination>-<ordinal>".
struct DeliveryRequest {
  std::uint32_t ordinal = 0;  // counts a message's deliveries from 1, over all its outcomes
  std::string destination;
  OrderKeys order_keys;
  std::uint8_t priority = 0;  // 0 routine, 1 stat
  Bytes payload;              // null: the received bytes
  std::string attributes{};   // of the transport, as a JSON object, or empty
};

// A lookup of the script that found no row.
struct Miss {
  std::string table;
  std::string key;
  std::string text;  // what the script knew of the code besides
};

// A script ran on a message (`cause` 0) or on the response to one of its deliveries (`cause` = that
// ordinal).
struct Outcome {
  MessageId id;
  std::string channel;
  Timestamp at = 0;
  std::uint32_t cause = 0;
  MessageState state = MessageState::queued;  // queued, filtered, parked, rejected or dead
  std::string code;                           // of the reason, such as "L201"; may be empty
  std::string reason;
  OrderKeys order_keys;
  std::vector<DeliveryRequest> deliveries;
  std::vector<StateWrite> state_writes;  // of the script's durable `state`: JSON texts
  std::string
      trace;  // log lines and what the script looked at, as JSON lines; phi() already masked
  std::vector<Miss> misses;
  bool until_mapped = false;  // parked until every miss has its row
  // Keyed hashes of what people look for a message by: Store::search_key().
  std::vector<std::uint64_t> search_keys{};
};

// One attempt at a delivery ended; or, as `queued` with `wire_state`, is about to begin.
struct Attempt {
  MessageId id;
  std::string channel;
  std::uint32_t ordinal = 0;
  std::string destination;
  Timestamp at = 0;
  std::uint32_t number = 1;  // counts from 1 since the delivery was queued or resent
  DeliveryState state = DeliveryState::delivered;  // delivered, retrying, held or dead
  bool wants_handler = false;                      // the channel's on_response is to run on it
  std::string code;
  std::string reason;
  Timestamp next_at = 0;                 // of the next attempt, when retrying
  Bytes response;                        // null when nothing came back
  std::string attributes{};              // what came with it, as a JSON object, or empty
  std::vector<StateWrite> wire_state{};  // as of Accepted
};

// A person put something back to work. `ordinal` 0: the whole message runs through its script
// again; its earlier deliveries stay as they are and new ones get new ordinals. Otherwise: that
// delivery is queued again, same key.
struct Resent {
  MessageId id;
  std::string channel;
  std::uint32_t ordinal = 0;
  Timestamp at = 0;
  std::string actor;
  std::string reason;
};

// A person ended what was parked, held, dead or still queued. `ordinal` 0: the message and all that
// is open of it.
struct Discarded {
  MessageId id;
  std::string channel;
  std::uint32_t ordinal = 0;
  Timestamp at = 0;
  std::string actor;
  std::string reason;
};

// Retention forgot messages of a channel, or their bodies alone: from here on they are gone, and
// the segments that have something of them owe its room.
struct Forgotten {
  struct Piece {
    std::uint64_t base = 0;   // of the segment
    std::uint64_t bytes = 0;  // that it will give back, about
  };
  struct Entry {
    MessageId id;
    std::vector<Piece> pieces;
  };

  MessageId id{};  // 0: of no message
  std::string channel;
  Timestamp at = 0;
  bool bodies_only = false;
  std::vector<Entry> entries;
};

// What the records of a channel before `as_of` left in its script's state and in the worklist, so
// that they can be removed. It counts when the file `pruned` names it.
struct Ledger {
  struct Missed {
    Miss miss;
    std::uint64_t count = 0;
    Timestamp first_at = 0;
    Timestamp last_at = 0;
    MessageId sample;
  };

  MessageId id{};  // 0
  std::string channel;
  Timestamp at = 0;
  std::uint64_t as_of = 0;  // a position
  std::vector<StateWrite> state;
  std::vector<Missed> missed;
  std::vector<StateWrite> wire_state{};  // as of Accepted
};

using Record = std::variant<Accepted, Outcome, Attempt, Resent, Discarded, Forgotten, Ledger>;

// About what a record holds in memory, in bytes, with the bodies that it shares with others. Not
// what it takes on disk, where it is compressed.
std::size_t memory_of(const Record& record);

}  // namespace cannula::store
