// What messages are found by: pairs of a keyed hash and a message id, in sorted runs.
//
// A tree of such pairs would be written at random places: with a million messages each new pair
// dirties a page of its own, which goes to the WAL and again to the file. So each transaction of
// the index adds its pairs as one run, and runs of about the same size are merged into one. A pair
// is written a few times, always in order, and a question looks into a few dozen runs.
//
// A pair may be there twice, and the message of a pair may be gone: whoever reads looks it up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/sqlite.h"
#include "engine/store/store.h"

namespace cannula::store {

struct SearchPair {
  std::int64_t hash = 0;  // signed, as SQLite orders it
  std::uint64_t message = 0;
  friend auto operator<=>(const SearchPair&, const SearchPair&) = default;
};

struct SearchRun {
  std::int64_t first_block = 0;  // its blocks have consecutive numbers
  std::int64_t blocks = 0;
  std::int64_t pairs = 0;
  std::uint64_t newest_message = 0;
};

// The writing side, a part of the index; for the index's thread.
class SearchRuns {
 public:
  void add(std::uint64_t hash, MessageId message);
  // Inside the index's transaction; after an error in it, or when it is rolled back, forget().
  Result<void> write(Connection& connection);
  void forget();

 private:
  Result<void> load(Connection& connection);
  Result<void> merge_some(Connection& connection);
  Result<void> merge(Connection& connection, const std::vector<SearchRun>& runs);
  Result<void> add_run(Connection& connection, const SearchRun& run);
  Result<void> remove_run(Connection& connection, const SearchRun& run);

  std::vector<SearchPair> added_;
  std::optional<std::vector<SearchRun>> runs_;  // as the file has them; nothing: not read yet
};

// Goes through the pairs of some runs in order, each pair once.
class MergedPairs {
 public:
  // `schema`: "main", or the name of an attached database.
  static Result<MergedPairs> of_all(Connection& connection, const std::string& schema);
  static Result<MergedPairs> of(Connection& connection, const std::string& schema,
                                const std::vector<SearchRun>& runs);

  Result<std::optional<SearchPair>> next();

 private:
  struct Cursor {
    std::int64_t block = 0;  // the one in `bytes`
    std::int64_t end = 0;    // of the run's blocks
    std::string bytes;
    std::size_t at = 0;
  };
  struct Head {
    SearchPair pair;
    std::size_t cursor;
    friend auto operator<=>(const Head&, const Head&) = default;
  };

  MergedPairs(Connection& connection, const std::string& schema);
  Result<void> advance(std::size_t cursor);

  Connection* connection_;
  std::string select_;
  std::vector<Cursor> cursors_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  std::optional<SearchPair> last_;
};

// The messages that have one hash of each of these, by rising id.
Result<std::vector<MessageId>> messages_with(Connection& connection,
                                             const std::vector<SearchKeys>& wanted);

}  // namespace cannula::store
