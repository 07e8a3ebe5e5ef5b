#include "engine/store/index_schema.h"

namespace cannula::store {
namespace {

// Rows are kept narrow and rise with the message id, so that new ones go to the right edge of each
// tree. Names of channels, destinations and partners are numbers into `names`; states are the
// numbers of record.h.
constexpr std::string_view kFirst = R"(
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  store TEXT NOT NULL,
  indexed_up_to INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  last_checksum INTEGER NOT NULL
);
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL,
  state INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  accepted_position INTEGER NOT NULL,
  queued_position INTEGER NOT NULL,
  last_ordinal INTEGER NOT NULL,
  size INTEGER NOT NULL,
  partner INTEGER,
  order_keys BLOB,
  event TEXT,
  control_id TEXT,
  code TEXT,
  reason TEXT,
  trail BLOB
);
CREATE INDEX messages_by_state ON messages (channel, state);
CREATE INDEX messages_waiting ON messages (channel, queued_position) WHERE state = 0;
CREATE INDEX messages_by_control_id ON messages (control_id) WHERE control_id IS NOT NULL;
CREATE INDEX messages_by_time ON messages (received_at);
CREATE TABLE deliveries (
  message INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  channel INTEGER NOT NULL,
  destination INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  handler_pending INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  outcome_position INTEGER NOT NULL,
  queued_position INTEGER NOT NULL,
  attempt_position INTEGER NOT NULL,
  order_keys BLOB,
  code TEXT,
  reason TEXT,
  PRIMARY KEY (message, ordinal)
) WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (destination, channel, queued_position, ordinal)
  WHERE state < 3;
CREATE INDEX deliveries_ended ON deliveries (destination, state) WHERE state > 3;
CREATE INDEX deliveries_with_handler ON deliveries (channel) WHERE handler_pending = 1;
CREATE TABLE counts (
  channel INTEGER NOT NULL,
  destination INTEGER NOT NULL,
  state INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (channel, destination, state)
) WITHOUT ROWID;
CREATE TABLE script_state (
  channel INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (channel, key)
) WITHOUT ROWID;
)";

constexpr std::string_view kWorklist = R"(
CREATE TABLE misses (
  in_table INTEGER NOT NULL,
  key TEXT NOT NULL,
  channel INTEGER NOT NULL,
  text TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  sample INTEGER NOT NULL,
  PRIMARY KEY (in_table, key, channel)
) WITHOUT ROWID;
CREATE TABLE awaited (
  message INTEGER NOT NULL,
  in_table INTEGER NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (message, in_table, key)
) WITHOUT ROWID;
CREATE INDEX awaited_by_key ON awaited (in_table, key);
)";

// Texts of patients are sealed and what is looked for is hashed (row_seal.h). No statement of SQL
// can do that to rows that are there, and deleted rows stay in the file: an older index is built
// anew.
constexpr std::string_view kSealed = R"(
DROP TABLE messages;
DROP TABLE deliveries;
DROP TABLE script_state;
DROP TABLE misses;
DROP TABLE awaited;
ALTER TABLE progress ADD COLUMN keys INTEGER NOT NULL DEFAULT 0;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL,
  state INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  accepted_position INTEGER NOT NULL,
  queued_position INTEGER NOT NULL,
  last_ordinal INTEGER NOT NULL,
  size INTEGER NOT NULL,
  partner INTEGER,
  order_keys BLOB,
  control_id INTEGER,  -- hash
  code TEXT,
  texts BLOB,  -- event, control id and reason, sealed
  trail BLOB
);
CREATE INDEX messages_by_state ON messages (channel, state);
CREATE INDEX messages_waiting ON messages (channel, queued_position) WHERE state = 0;
CREATE INDEX messages_by_control_id ON messages (control_id) WHERE control_id IS NOT NULL;
CREATE INDEX messages_by_time ON messages (received_at);
CREATE TABLE deliveries (
  message INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  channel INTEGER NOT NULL,
  destination INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  handler_pending INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  outcome_position INTEGER NOT NULL,
  queued_position INTEGER NOT NULL,
  attempt_position INTEGER NOT NULL,
  order_keys BLOB,
  code TEXT,
  reason BLOB,  -- sealed
  PRIMARY KEY (message, ordinal)
) WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (destination, channel, queued_position, ordinal)
  WHERE state < 3;
CREATE INDEX deliveries_ended ON deliveries (destination, state) WHERE state > 3;
CREATE INDEX deliveries_with_handler ON deliveries (channel) WHERE handler_pending = 1;
CREATE TABLE search (
  hash INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (hash, message)
) WITHOUT ROWID;
CREATE TABLE script_state (
  channel INTEGER NOT NULL,
  key BLOB NOT NULL,  -- hash
  value BLOB NOT NULL,  -- key and value, sealed
  PRIMARY KEY (channel, key)
) WITHOUT ROWID;
CREATE TABLE misses (
  in_table INTEGER NOT NULL,
  key BLOB NOT NULL,  -- hash
  channel INTEGER NOT NULL,
  key_text BLOB NOT NULL,  -- sealed
  text BLOB,  -- sealed
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  sample INTEGER NOT NULL,
  PRIMARY KEY (in_table, key, channel)
) WITHOUT ROWID;
CREATE TABLE awaited (
  message INTEGER NOT NULL,
  in_table INTEGER NOT NULL,
  key BLOB NOT NULL,  -- hash
  key_text BLOB NOT NULL,  -- sealed
  PRIMARY KEY (message, in_table, key)
) WITHOUT ROWID;
CREATE INDEX awaited_by_key ON awaited (in_table, key);
)";

// What is dead or held, by its cause, in the order that groups of it are asked for: a hundred
// thousand of them are counted without touching their rows. Whom a person edited.
constexpr std::string_view kCauses = R"(
ALTER TABLE messages ADD COLUMN place TEXT;
ALTER TABLE messages ADD COLUMN edited_from INTEGER;
ALTER TABLE deliveries ADD COLUMN place TEXT;
CREATE INDEX messages_dead ON messages (channel, code, place, changed_at) WHERE outcome = 6;
CREATE INDEX messages_edited ON messages (edited_from) WHERE edited_from IS NOT NULL;
CREATE INDEX deliveries_stuck ON deliveries (state, channel, destination, code, place, changed_at)
  WHERE state = 2 OR state = 4;
)";

// See search_runs.h. A run is named after its first block.
constexpr std::string_view kSearchRuns = R"(
DROP TABLE search;
DROP INDEX messages_by_control_id;
ALTER TABLE messages DROP COLUMN control_id;
CREATE TABLE search_runs (
  run INTEGER PRIMARY KEY,
  blocks INTEGER NOT NULL,
  pairs INTEGER NOT NULL,
  newest_message INTEGER NOT NULL
);
CREATE TABLE search_blocks (
  block INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  hash INTEGER NOT NULL,  -- of its first pair
  pairs BLOB NOT NULL  -- hash and message id, 16 bytes each, sorted
);
CREATE INDEX search_fences ON search_blocks (run, hash);
)";

// What the wires of a channel remember: sequence numbers of links. Sealed as the state of scripts
// is.
constexpr std::string_view kWireState = R"(
CREATE TABLE wire_state (
  channel INTEGER NOT NULL,
  key BLOB NOT NULL,  -- hash
  value BLOB NOT NULL,  -- key and value, sealed
  PRIMARY KEY (channel, key)
) WITHOUT ROWID;
)";

// What retention took. `forgotten`: what a segment still has of messages, or of bodies, that are
// gone; rows go when the segment is packed. `ledgers`: from which position on a channel's records
// are counted in the script's state and the worklist. Built anew because only a new file can give
// its free pages back.
constexpr std::string_view kRetention = R"(
ALTER TABLE messages ADD COLUMN bodies_removed INTEGER;
CREATE TABLE forgotten (
  base INTEGER NOT NULL,
  message INTEGER NOT NULL,
  position INTEGER NOT NULL,  -- of the record that says so
  at INTEGER NOT NULL,
  bodies_only INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (base, message)
) WITHOUT ROWID;
CREATE TABLE ledgers (channel INTEGER PRIMARY KEY, as_of INTEGER NOT NULL);
)";

// Changes nothing here: records may now need the second dictionary of
// engine/security/sealing/dictionary.h. They say so only once they are opened, so an older Cannula
// would begin to work on such a store; by this step it refuses, as it cannot build its index anew.
constexpr std::string_view kSecondDictionary = "";

constexpr Migration kMigrations[] = {
    {"messages, deliveries, counts, script state", kFirst},
    {"the worklist of lookups that missed, and who waits for it", kWorklist},
    {"texts of patients sealed, what is searched for hashed", kSealed, true},
    {"causes of what is dead or held, and who was edited", kCauses, true},
    {"what messages are found by, in sorted runs", kSearchRuns, true},
    {"what the wires of a channel remember", kWireState},
    {"what retention took", kRetention, true},
    {"records that need the second dictionary", kSecondDictionary},
};

}  // namespace

std::span<const Migration> index_migrations() {
  return kMigrations;
}

}  // namespace cannula::store
