// The writing side of the index: takes records in the journal's order and keeps the rows that
// follow from them.
//
// Records only change messages in memory until commit() writes, in one transaction, each changed
// row once together with the position reached. A message that is accepted, worked and delivered
// between two commits costs one row and one more for each delivery. For one thread at a time;
// readers have connections of their own (index_reader.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "engine/store/message_life.h"
#include "engine/store/row_seal.h"
#include "engine/store/search_runs.h"
#include "engine/store/sqlite.h"
#include "engine/store/worklist.h"

namespace cannula::store {

class Index {
 public:
  struct Progress {
    std::string store;  // identity; empty in a new file
    Position indexed_up_to = 0;
    Position last_position = 0;       // of the last record that is in; 0: none yet
    std::uint64_t last_checksum = 0;  // of its payload
  };

  // Opens or makes the file and brings its tables up to date. J302 when it is no sound index,
  // when its texts are sealed with other keys, and when it is from before they were sealed.
  // `seal` must outlive it.
  static Result<std::unique_ptr<Index>> open(const std::filesystem::path& path,
                                             const RowSeal& seal);
  // Removes the file and what SQLite keeps beside it.
  static Result<void> remove(const std::filesystem::path& path);

  const Progress& progress() const { return progress_; }
  std::size_t changed_messages() const { return changed_.size(); }

  // After an error the changes since the last commit() are forgotten: go on from progress(). J302
  // when a row that was there is gone: the file is no sound index, and has to be built anew.
  Result<void> apply(const Record& record, Position position);
  Result<void> commit(Progress reached);
  void forget();

  // A new index begins with what a ledger says: records before it count only for their messages.
  Result<void> carry(const Ledger& ledger);
  // The segment that begins at `base` has nothing more of what was forgotten before `as_of`.
  Result<void> settle(Position base, Position as_of);
  // Gives up to `pages` free pages back to the disk; how many are left.
  Result<std::int64_t> give_back(int pages);
  // Leaves nothing of deleted rows in the write-ahead log.
  Result<void> empty_log();

 private:
  Index(std::unique_ptr<Connection> connection, const RowSeal& seal)
      : seal_(seal), connection_(std::move(connection)) {}

  using CountKey = std::tuple<std::int64_t, std::int64_t, int>;  // channel, destination or 0, state

  Result<void> migrate();
  Result<void> load_progress();
  Result<void> load_ledgers();
  Result<void> apply_forgotten(const Forgotten& record, Position position);
  Result<MessageLife*> known_life(MessageId id);
  Result<void> delete_message(const MessageLife& life);
  Result<void> write_forgotten();
  Result<void> write_ledgers();
  bool is_counted(const std::string& channel, Position position) const;
  // Null: it is of a message that is forgotten, and came late.
  Result<MessageLife*> life_of(const Record& record);
  Result<bool> is_forgotten(MessageId id);
  Result<bool> load(MessageLife& life);
  Result<void> load_deliveries(MessageLife& life);
  Result<void> write(const Progress& reached);
  Result<void> write_messages();
  Result<void> count(const MessageLife& life);
  Result<void> count(const DeliveryLife& delivery);
  Result<void> insert_messages(std::span<const MessageLife* const> lives);
  Result<void> update_message(const MessageLife& life);
  Result<void> put_deliveries(std::span<const DeliveryLife* const> lives);
  Result<void> write_counts();
  // Of a channel and a key: the value, or nothing where it is removed.
  using States = std::map<std::pair<std::string, std::string>, std::optional<std::string>>;
  static void note(States& states, const std::string& channel,
                   const std::vector<StateWrite>& writes);
  Result<void> write_state(std::string_view table, char place, const States& states);
  Result<std::string> sealed_texts(const MessageRow& row) const;
  Result<std::int64_t> name(const std::string& text);
  Result<std::string> text_of_name(std::int64_t id);
  void after_commit();

  const RowSeal& seal_;
  std::unique_ptr<Connection> connection_;
  Progress progress_;
  std::uint64_t highest_id_ = 0;  // of all messages in the file or in memory
  std::unordered_map<MessageId, MessageLife> lives_;
  std::vector<MessageId> changed_;
  std::map<CountKey, std::int64_t> count_changes_;
  States script_state_, wire_state_;
  SearchRuns search_;
  // Of what was forgotten since the last commit().
  std::vector<std::pair<Position, Forgotten>> forgotten_;
  std::map<std::string, Position> ledgers_;  // as of which position, by channel
  std::vector<std::string> new_ledgers_;
  Worklist worklist_;
  std::unordered_map<std::string, std::int64_t> names_;
};

}  // namespace cannula::store
