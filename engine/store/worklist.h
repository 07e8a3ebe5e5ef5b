// The worklist of clinical staff: the codes that lookups did not find, counted, and the messages
// that wait for one of them. The writing side, a part of the index; for the index's thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/store/row_seal.h"
#include "engine/store/sqlite.h"
#include "engine/store/store.h"

namespace cannula::store {

// A sender of garbage cannot fill it: of one table and channel at most kMostKeys codes (and a few
// more for a moment) are kept, those that came most often and last, and all that a message waits
// for.
class Worklist {
 public:
  static constexpr std::int64_t kMostKeys = 10'000;

  // The number that the index keeps for a name.
  using NameNumber = std::function<Result<std::int64_t>(const std::string&)>;

  // Misses of a record are `counted` unless a ledger has them.
  void apply(const Record& record, bool counted);
  // What a ledger says, into a new index.
  void carry(const Ledger& ledger);
  // It waits for nothing any more.
  void drop(MessageId id, const std::string& channel) { awaited_[id] = {channel, {}}; }
  // Inside the index's transaction.
  Result<void> write(Connection& connection, const RowSeal& seal, const NameNumber& number);
  void forget();

 private:
  struct Count {
    std::string text;
    std::int64_t count = 0;
    Timestamp first_at = 0;
    Timestamp last_at = 0;
    MessageId sample;
  };
  using Key = std::tuple<std::string, std::string, std::string>;  // table, key, channel

  struct Awaited {
    std::string channel;
    std::vector<Miss> misses;  // what it waits for now; empty: nothing
  };

  Result<void> write_counts(Connection& connection, const RowSeal& seal, const NameNumber& number);
  Result<void> write_awaited(Connection& connection, const RowSeal& seal, const NameNumber& number);
  Result<void> drop_the_rarest(Connection& connection);

  std::map<Key, Count> counts_;
  std::map<MessageId, Awaited> awaited_;
  // By table and channel: how many codes were written since it was last looked how many there are.
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> written_;
};

}  // namespace cannula::store
