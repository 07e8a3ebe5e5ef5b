// The record of everything: an append-only journal, and a SQLite index behind it that answers
// questions.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/store/record.h"
#include "parsers/text/result.h"

namespace cannula::security {
class KeyRing;
}

namespace cannula::store {

class FileSystem;
struct Owed;
struct PruneOrder;
struct PruneReport;

// Kinds of what messages are searched by: MessageQuery::search, Store::search_key().
constexpr std::string_view kPatientNumber = "mrn";
constexpr std::string_view kAccession = "accession";
constexpr std::string_view kPatientName = "name";

// Keyed hashes that a text may stand in the index as; mostly one.
using SearchKeys = std::vector<std::uint64_t>;

// Where a record starts, counted in bytes over all segments since the store was made. Never reused.
using Position = std::uint64_t;

// What commit() tells of one record.
struct Committed {
  MessageId id;       // of an Accepted: the one just assigned; of the others: theirs
  Position position;  // to read it back by
};

// True of an error of read() that is no damage: the record is whole, and the store's newest file of
// keys (K107, J112) or a newer Cannula (J109) reads it.
bool is_readable_elsewhere(const Error& error);

struct Options {
  std::filesystem::path directory;  // `state/` of the site; made if absent
  FileSystem* file_system =
      nullptr;  // null: the real one. Test doubles drop what was not synced, or fail.
  std::size_t segment_size = 64u << 20;  // bytes; a segment may grow over it by one commit
  std::size_t pending_limit =
      32u << 20;  // bytes in memory waiting for the disk before has_room() says no
  std::size_t zero_ahead =
      4u << 20;                     // bytes written with zeros ahead of the journal's end; 0: none
  bool index_in_background = true;  // false: tests drive it by catch_up()
  std::shared_ptr<security::KeyRing> keys{};  // null: nothing is sealed
  // Lets keys be new where there is a journal: all that is plain in it is believed. Without it,
  // K118. Only a person knows that the store is one from before stores were sealed.
  bool believe_plain = false;
  // Called by open() every ten thousand messages while the index is brought up to the journal's
  // end: how many bytes of the journal have been read, and of how many. Never when there is less.
  std::function<void(std::uint64_t done, std::uint64_t all)> on_index_progress{};
  // Called, on any thread, when a question meets something in the index that the store has not
  // written (J302), once for each time that it is built anew because of that. Must not wait.
  std::function<void(const Error& error)> on_index_changed{};
};

// One row of the index: a message as it stands.
struct MessageRow {
  MessageId id;
  std::string channel;
  MessageState state = MessageState::accepted;
  Timestamp received_at = 0;
  Timestamp changed_at = 0;
  std::string event;
  std::string control_id;
  std::string partner;
  std::string code;  // of the reason of the state
  std::string reason;
  OrderKeys order_keys;
  std::uint64_t size = 0;  // bytes of the body
  Position accepted_at_position = 0;
  std::string place{};         // of a failure: see place_in_script()
  MessageId edited_from{};     // the message that a person made this one of; 0: none
  Timestamp bodies_removed{};  // when retention removed its bodies; 0: they are there
};

struct DeliveryRow {
  MessageId id;
  std::uint32_t ordinal = 0;
  std::string channel;
  std::string destination;
  DeliveryState state = DeliveryState::queued;
  std::uint32_t attempts = 0;
  OrderKeys order_keys;
  std::uint8_t priority = 0;
  Timestamp changed_at = 0;
  Timestamp next_at = 0;
  std::string code;
  std::string reason;
  bool handler_pending = false;   // delivered, and on_response has not run on it yet
  Position outcome_position = 0;  // of the Outcome that holds its payload
  Position queued =
      0;  // its place in the destination's queue: of its Outcome, or of its last Resent
  Position attempt_position = 0;  // of its last Attempt; 0 before the first
  std::string place{};            // of a failure: "status 422"
};

struct MessageQuery {
  std::string channel{};                        // empty: all
  std::vector<std::string> also_of_channels{};  // besides `channel`: names that it had before
  std::optional<MessageState> state{};
  std::string control_id{};
  std::string destination{};                      // messages with a delivery to it …
  std::vector<std::string> also_to{};             // … or, besides, to one of these …
  std::optional<DeliveryState> delivery_state{};  // … in this state
  MessageId after{};                              // exclusive, for paging on in rising order
  MessageId before{};                             // exclusive; with newest_first
  Timestamp received_from = 0;
  Timestamp received_to = 0;  // 0: no bound
  bool newest_first = false;
  std::size_t limit = 100;
  // Messages whose outcome had, of each of these, one search key.
  std::vector<SearchKeys> search_keys{};
};

// A delivery, or (ordinal 0) a whole message.
struct Letter {
  MessageId id;
  std::uint32_t ordinal = 0;
  friend auto operator<=>(const Letter&, const Letter&) = default;
};

// All that has come to the same state in the same way: what people list by cause, send again or
// end in numbers.
struct LetterQuery {
  std::string channel{};                        // empty: all
  std::vector<std::string> also_of_channels{};  // besides `channel`: names that it had before
  std::string destination{};                    // empty: all, and messages too
  std::vector<std::string> also_to{};           // besides `destination`, in the same way
  std::vector<DeliveryState> deliveries{};      // deliveries in one of these states
  // Messages in one of these states; of the dead, those that died by themselves and not by a
  // delivery. None when `destination` is given.
  std::vector<MessageState> messages{};
  std::string code{};                  // of the cause; empty: all
  std::optional<std::string> place{};  // of the cause; none: all
  Timestamp from = 0;                  // when they came into that state
  Timestamp to = 0;                    // exclusive; 0: no bound
};

// Those of a LetterQuery that have the same cause.
struct CauseRow {
  std::string channel;
  std::string destination;  // empty: the message itself
  std::string state;
  std::string code;
  std::string place;
  std::uint64_t count = 0;
  Timestamp first_at = 0;
  Timestamp last_at = 0;
  MessageId sample;  // the newest
};

struct StateCount {
  std::string channel;
  std::string destination;  // empty: messages of the channel; otherwise deliveries to it
  std::string state;
  std::uint64_t count = 0;
};

// A code that lookups of a channel did not find, since the store was made.
struct UnmappedRow {
  std::string table;
  std::string key;
  std::string text;  // the last that a script gave with it
  std::string channel;
  std::uint64_t count = 0;
  Timestamp first_at = 0;
  Timestamp last_at = 0;
  MessageId sample;           // the last message that had it
  std::uint64_t waiting = 0;  // messages parked until it is mapped
};

// A message parked until its codes are mapped.
struct AwaitingRow {
  MessageId id;
  std::vector<std::pair<std::string, std::string>> codes;  // table and key
};

// How long a person who asks is kept waiting for the index.
constexpr std::chrono::milliseconds kPatience{2000};

// What was found when a store was opened or checked, for the log and for `store check`.
struct Recovery {
  std::uint64_t records_replayed = 0;
  std::uint64_t torn_bytes_cut = 0;  // at the journal's end: never acknowledged, and cut off
  std::vector<Diagnostic>
      damage;  // inside the journal: segment, offset, what it means; reading went on behind it
  bool index_rebuilt = false;
  std::string index_rebuilt_why;
  bool made_new = false;  // there was no journal: this one is empty
  // Of an earlier store, although its journal is not there: names in the folder.
  std::vector<std::string> left_behind{};
  // Of check() alone: what was read.
  std::string store{};  // identity
  std::size_t segments{};
  Position begin{}, end{};
  bool index_compared{};
};

// Thread-safe. One process at a time holds a store (a lock file says who).
class Store {
 public:
  // Creates or opens, takes the lock, cuts a torn tail, brings the index up to the journal's end
  // (rebuilding it when it is missing, damaged, of another store, or ahead of the journal).
  static Result<std::unique_ptr<Store>> open(Options options);
  virtual ~Store() = default;

  // Called on the journal's thread when the records are on disk, or with an error after which none
  // of them is (disk full, I/O error). Must not block: hand over to another thread.
  using Completion = std::function<void(Result<std::vector<Committed>>)>;

  // Appends all records together or none. Many calls share one wait for the disk. Records of one
  // caller, and of callers that hand over to each other, are ordered as they were submitted.
  virtual void submit(std::vector<Record> records, Completion done) = 0;
  // The same, waiting.
  Result<std::vector<Committed>> commit(std::vector<Record> records);
  // False while more than pending_limit bytes wait for the disk. `when_room` is called once, on the
  // journal's thread, when there is room again (at once when there already is).
  virtual bool has_room() const = 0;
  virtual void when_room(std::function<void()> resume) = 0;
  // Why the disk did not take what was written last; nothing while it takes it.
  virtual std::optional<Error> trouble() const = 0;
  // Whether the journal's file is gone from its folder, so that the next write will be refused
  // (J120).
  virtual bool is_displaced() const = 0;
  // Writes a mark that says nothing, without waiting for it: while there is trouble and nobody
  // writes, this is how it is known to have passed.
  virtual void probe() = 0;

  // Reads a record back by its position. Any thread; from the journal, not the index.
  virtual Result<Record> read(Position position) const = 0;
  // All records of one message in the order they were written, by way of the index.
  virtual Result<std::vector<Record>> trail(MessageId id) const = 0;

  // The index. It follows the journal by milliseconds; what it tells is exact up to
  // indexed_up_to().
  virtual Position begin() const = 0;  // of what is kept still
  virtual Position end() const = 0;    // of what is on disk
  Position indexed_up_to() const { return index_moment().up_to; }
  struct IndexMoment {
    std::uint64_t build = 0;  // which index it is: one that is built anew begins again
    Position up_to = 0;       // how far it has come
  };
  virtual IndexMoment index_moment() const = 0;
  // Up to where rows that were read since `before` are all there are. 0: the index was built anew
  // meanwhile, and they may be of a part of it.
  Position seen_up_to(IndexMoment before) const;
  // Why the index could not be written last; nothing while it can. It is tried again all the time.
  virtual std::optional<Error> index_trouble() const = 0;
  // Waits until the index has everything that was on disk when this was called.
  virtual void catch_up() = 0;
  // The same for who cannot wait for ever, because a person does or others do meanwhile: J303, with
  // why, when it has not caught up by then.
  virtual Result<void> catch_up_within(std::chrono::milliseconds time) = 0;

  virtual Result<std::optional<MessageRow>> message(MessageId id) const = 0;
  virtual Result<std::vector<MessageRow>> messages(const MessageQuery& query) const = 0;
  virtual Result<std::vector<DeliveryRow>> deliveries(MessageId id) const = 0;
  virtual Result<std::vector<StateCount>> counts() const = 0;
  // By rising id and ordinal; none of them is read back from the journal, so a million are a matter
  // of a second.
  virtual Result<std::vector<Letter>> letters(const LetterQuery& query) const = 0;
  // The largest first.
  virtual Result<std::vector<CauseRow>> causes(const LetterQuery& query) const = 0;
  // The messages that people made of this one by editing it, the oldest first.
  virtual Result<std::vector<MessageId>> edited_as(MessageId id) const = 0;

  // The queues as the index has them, oldest first: what a restart continues with and what memory
  // has no room for.
  struct Waiting {  // a message whose script is still to run
    MessageId id;
    Position accepted = 0;           // where its body is
    Position queued = 0;             // its place in the queue: `accepted`, or of its last Resent
    std::uint32_t next_ordinal = 1;  // for its next delivery
  };
  // In order of `queued`, those after `after` (exclusive).
  virtual Result<std::vector<Waiting>> waiting_messages(const std::string& channel, Position after,
                                                        std::size_t limit) const = 0;
  // Deliveries queued, retrying or held, in order of (queued, ordinal), those after that pair
  // (exclusive). By place in the journal and not by message id, because scripts of different keys
  // end in another order than their messages came.
  virtual Result<std::vector<DeliveryRow>> waiting_deliveries(const std::string& channel,
                                                              const std::string& destination,
                                                              Position after,
                                                              std::uint32_t after_ordinal,
                                                              std::size_t limit) const = 0;
  // Delivered ones whose on_response has not run.
  virtual Result<std::vector<DeliveryRow>> waiting_handlers(const std::string& channel) const = 0;
  virtual Result<std::vector<StateWrite>> script_state(const std::string& channel) const = 0;
  // What its wires remember: Accepted::wire_state, Attempt::wire_state.
  virtual Result<std::vector<StateWrite>> wire_state(const std::string& channel) const = 0;

  // Lookups that missed, the most frequent first; of one table, or of all when `table` is empty.
  virtual Result<std::vector<UnmappedRow>> unmapped(const std::string& table,
                                                    std::size_t limit) const = 0;
  // Messages parked until rows arrive, by rising id, those after `after` (exclusive).
  virtual Result<std::vector<AwaitingRow>> awaiting(MessageId after, std::size_t limit) const = 0;

  virtual const Recovery& recovery() const = 0;
  // A random name given to this store when it was made; 16 hexadecimal digits.
  virtual const std::string& identity() const = 0;
  // The keyed hash for Outcome::search_keys and MessageQuery; the same for the same text as long as
  // the store has its keys.
  virtual std::uint64_t search_key(std::string_view kind, std::string_view text) const = 0;
  // The keyed hash of a text that messages are kept in order by.
  virtual std::uint64_t order_key(std::string_view text) const = 0;
  // Free bytes on the disk that holds the journal.
  virtual Result<std::uint64_t> free_space() const = 0;
  // As long as the answer lives no segment of the journal that is there now is removed by
  // retention: for who copies the files. Waits while some are being removed.
  virtual std::shared_ptr<const void> pin_segments() const = 0;
  // Forgets what is due (retention.h), one run at a time; blocks the caller and nobody else.
  virtual Result<PruneReport> prune(const PruneOrder& order) = 0;
  // What was forgotten and is on the disk still.
  virtual Result<Owed> owed() const = 0;
  // Writes what is pending, brings the index up, closes cleanly. Submissions afterwards complete
  // with an error.
  virtual void close() = 0;
};

// Says where a journal ends that another process has open: Store::end(), asked of that process.
using EndOfOpenStore = std::function<Result<Position>()>;

// Reads every record of every segment and compares with the index; changes nothing. Takes the
// store's lock, unless `end_of_open` says that another process has it open: then all that was on
// disk when it was asked is read while that process goes on.
// Without keys, or with new ones, a sealed journal is checked as far as its checksums go, and the
// index not at all.
Result<Recovery> check(const std::filesystem::path& directory, FileSystem* file_system = nullptr,
                       std::shared_ptr<security::KeyRing> keys = nullptr,
                       const EndOfOpenStore& end_of_open = nullptr);

}  // namespace cannula::store
