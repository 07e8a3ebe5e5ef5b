// Questions to the index. Thread-safe: each call takes a read connection of its own from a small
// pool, so that no question waits for another or for the rows being written. Rows come as Store
// tells them.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/store/row_seal.h"
#include "engine/store/sqlite.h"
#include "engine/store/store.h"

namespace cannula::store {

class IndexReader {
 public:
  // `seal` must outlive it.
  IndexReader(std::filesystem::path path, const RowSeal& seal);
  ~IndexReader();

  Result<std::optional<MessageRow>> message(MessageId id);
  Result<std::vector<MessageRow>> messages(const MessageQuery& query);
  Result<std::vector<DeliveryRow>> deliveries(MessageId id);
  Result<std::vector<StateCount>> counts();
  Result<std::vector<Letter>> letters(const LetterQuery& query);
  Result<std::vector<CauseRow>> causes(const LetterQuery& query);
  Result<std::vector<MessageId>> edited_as(MessageId id);
  // Positions of all its records, in order; none when there is no such message.
  Result<std::vector<Position>> trail(MessageId id);
  Result<std::vector<Store::Waiting>> waiting_messages(const std::string& channel, Position after,
                                                       std::size_t limit);
  Result<std::vector<DeliveryRow>> waiting_deliveries(const std::string& channel,
                                                      const std::string& destination,
                                                      Position after, std::uint32_t after_ordinal,
                                                      std::size_t limit);
  Result<std::vector<DeliveryRow>> waiting_handlers(const std::string& channel);
  Result<std::vector<StateWrite>> script_state(const std::string& channel);
  Result<std::vector<StateWrite>> wire_state(const std::string& channel);
  Result<std::vector<UnmappedRow>> unmapped(const std::string& table, std::size_t limit);
  Result<std::vector<AwaitingRow>> awaiting(MessageId after, std::size_t limit);

  // Forgets all connections: the file is another one now. Calls under way may fail.
  void reopen();

 private:
  class Session;  // a connection, and the names it has met

  // Gives the session back to the pool when it goes.
  class Lease;
  Result<Lease> lease();
  Result<std::vector<StateWrite>> state(const std::string& channel, std::string_view table,
                                        char place);
  void give_back(std::unique_ptr<Session> session, std::uint64_t generation);

  const std::filesystem::path path_;
  const RowSeal& seal_;
  std::mutex lock_;
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace cannula::store
