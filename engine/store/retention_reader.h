// What pruning asks of the index, on a connection of its own. For one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/store/retention.h"
#include "engine/store/row_seal.h"
#include "engine/store/sqlite.h"
#include "engine/store/store.h"

namespace cannula::store {

class RetentionReader {
 public:
  // `seal` must outlive it.
  static Result<RetentionReader> open(const std::filesystem::path& index, const RowSeal& seal);

  // As much of a message as its age and state need; no text is opened.
  struct Candidate {
    MessageId id;
    std::string channel;
    MessageState state = MessageState::accepted;
    Timestamp changed_at = 0;
    bool has_bodies = true;
  };
  // By rising id, those after `after`, whatever their state.
  Result<std::vector<Candidate>> candidates(MessageId after, std::size_t limit);

  // A segment that has something of what was forgotten.
  struct Debt {
    Position base = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    Timestamp since = 0;
    Position last = 0;  // of the last record that says so
  };
  // The largest first.
  Result<std::vector<Debt>> debts();
  Result<Owed> owed();

  // What is not to be in a segment any more: message to when its bodies were removed, 0 when all
  // of it is gone. True as of the position that is answered with.
  struct Gone {
    Position as_of = 0;
    std::unordered_map<MessageId, Timestamp> messages;
  };
  Result<Gone> gone_from(Position base);

  // What stands in the index for a channel just now, as a ledger.
  Result<Ledger> ledger(const std::string& channel);

 private:
  RetentionReader(std::unique_ptr<Connection> connection, const RowSeal& seal)
      : connection_(std::move(connection)), seal_(&seal) {}
  Result<std::string> text(std::int64_t name);
  Result<std::int64_t> number(const std::string& name);
  Result<std::vector<StateWrite>> state(std::int64_t channel, std::string_view table, char place);
  Result<void> read_missed(std::int64_t channel, Ledger& ledger);

  std::unique_ptr<Connection> connection_;
  const RowSeal* seal_;
  std::unordered_map<std::int64_t, std::string> names_;
};

}  // namespace cannula::store
