#include "engine/store/search_runs.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include <fmt/format.h>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::size_t kPairSize = 16;          // hash, then message id
constexpr std::size_t kPairsInBlock = 250;     // fill a page of SQLite
constexpr std::size_t kRunsToMerge = 4;        // of about the same size
constexpr std::int64_t kLargestRun = 1 << 20;  // pairs; bounds what one transaction writes

void append_pair(const SearchPair& pair, std::string& block) {
  const std::size_t begin = block.size();
  block.resize(begin + kPairSize);
  put_u64(block.data() + begin, static_cast<std::uint64_t>(pair.hash));
  put_u64(block.data() + begin + 8, pair.message);
}

SearchPair pair_at(std::string_view block, std::size_t at) {
  return {.hash = static_cast<std::int64_t>(get_u64(block.data() + at)),
          .message = get_u64(block.data() + at + 8)};
}

std::size_t pairs_in(std::string_view block) {
  return block.size() / kPairSize;
}

// Runs of one class differ in size by less than a factor of four.
int class_of(const SearchRun& run) {
  return (std::bit_width(static_cast<std::uint64_t>(run.pairs)) - 1) / 2;
}

// Writes the blocks of one run.
class RunWriter {
 public:
  static Result<RunWriter> begin(Connection& connection) {
    RunWriter writer;
    writer.connection_ = &connection;
    Statement& last =
        *TRY(connection.prepared("SELECT coalesce(max(block), 0) FROM search_blocks"));
    TRY(last.step());
    writer.run_.first_block = last.integer(0) + 1;
    last.reset();
    return writer;
  }

  Result<void> add(const SearchPair& pair) {
    append_pair(pair, bytes_);
    ++run_.pairs;
    run_.newest_message = std::max(run_.newest_message, pair.message);
    return bytes_.size() < kPairsInBlock * kPairSize ? Result<void>() : write_block();
  }

  Result<SearchRun> finish() {
    if (!bytes_.empty()) TRY(write_block());
    return run_;
  }

 private:
  Result<void> write_block() {
    Statement& insert = *TRY(connection_->prepared(
        "INSERT INTO search_blocks (block, run, hash, pairs) VALUES (?, ?, ?, ?)"));
    TRY(insert.bind(1, run_.first_block + run_.blocks)
            .bind(2, run_.first_block)
            .bind(3, pair_at(bytes_, 0).hash)
            .bind_blob(4, bytes_)
            .run());
    ++run_.blocks;
    bytes_.clear();
    return {};
  }

  Connection* connection_ = nullptr;
  SearchRun run_;
  std::string bytes_;
};

SearchRun run_of(const Statement& row) {
  return {.first_block = row.integer(0),
          .blocks = row.integer(1),
          .pairs = row.integer(2),
          .newest_message = row.unsigned_integer(3)};
}

constexpr std::string_view kSelectRuns =
    "SELECT run, blocks, pairs, newest_message FROM {}.search_runs ORDER BY run";

Result<std::vector<SearchRun>> runs_in(Connection& connection, std::string_view schema) {
  Statement& select = *TRY(connection.prepared(fmt::format(fmt::runtime(kSelectRuns), schema)));
  std::vector<SearchRun> runs;
  while (TRY(select.step())) runs.push_back(run_of(select));
  return runs;
}

// The block of a run in which `hash` may stand first: the last one that begins below it.
Result<std::int64_t> block_before(Connection& connection, const SearchRun& run, std::int64_t hash) {
  Statement& select = *TRY(connection.prepared(
      "SELECT block FROM search_blocks INDEXED BY search_fences WHERE run = ? AND hash < ? "
      "ORDER BY hash DESC, block DESC LIMIT 1"));
  select.bind(1, run.first_block).bind(2, hash);
  std::int64_t block = run.first_block;
  if (TRY(select.step())) block = select.integer(0);
  select.reset();
  return block;
}

Result<void> add_messages_of(Connection& connection, const SearchRun& run, std::int64_t hash,
                             std::vector<MessageId>& messages) {
  const std::int64_t first = TRY(block_before(connection, run, hash));
  Statement& select = *TRY(connection.prepared(
      "SELECT pairs FROM search_blocks WHERE block >= ? AND block < ? ORDER BY block"));
  select.bind(1, first).bind(2, run.first_block + run.blocks);
  bool beyond = false;
  while (!beyond && TRY(select.step())) {
    const std::string_view block = select.text(0);
    std::size_t low = 0;
    std::size_t high = pairs_in(block);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (pair_at(block, middle * kPairSize).hash < hash) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (; low < pairs_in(block) && !beyond; ++low) {
      const SearchPair pair = pair_at(block, low * kPairSize);
      beyond = pair.hash != hash;
      if (!beyond) messages.push_back({pair.message});
    }
  }
  select.reset();
  return {};
}

Result<std::vector<MessageId>> messages_with_one_of(Connection& connection,
                                                    const SearchKeys& hashes) {
  // Read in one snapshot with the blocks: the statement is open until the last of them.
  Statement& runs = *TRY(connection.prepared(fmt::format(fmt::runtime(kSelectRuns), "main")));
  std::vector<MessageId> messages;
  while (TRY(runs.step())) {
    for (const std::uint64_t hash : hashes) {
      TRY(add_messages_of(connection, run_of(runs), static_cast<std::int64_t>(hash), messages));
    }
  }
  std::sort(messages.begin(), messages.end());
  messages.erase(std::unique(messages.begin(), messages.end()), messages.end());
  return messages;
}

}  // namespace

void SearchRuns::add(std::uint64_t hash, MessageId message) {
  added_.push_back({.hash = static_cast<std::int64_t>(hash), .message = message.value});
}

void SearchRuns::forget() {
  added_.clear();
  runs_.reset();
}

Result<void> SearchRuns::write(Connection& connection) {
  if (added_.empty()) return {};
  if (!runs_) runs_ = TRY(runs_in(connection, "main"));
  std::sort(added_.begin(), added_.end());
  added_.erase(std::unique(added_.begin(), added_.end()), added_.end());
  RunWriter writer = TRY(RunWriter::begin(connection));
  for (const SearchPair& pair : added_) TRY(writer.add(pair));
  added_.clear();
  TRY(add_run(connection, TRY(writer.finish())));
  return merge_some(connection);
}

Result<void> SearchRuns::add_run(Connection& connection, const SearchRun& run) {
  Statement& insert = *TRY(connection.prepared(
      "INSERT INTO search_runs (run, blocks, pairs, newest_message) VALUES (?, ?, ?, ?)"));
  TRY(insert.bind(1, run.first_block)
          .bind(2, run.blocks)
          .bind(3, run.pairs)
          .bind_unsigned(4, run.newest_message)
          .run());
  runs_->push_back(run);
  return {};
}

Result<void> SearchRuns::remove_run(Connection& connection, const SearchRun& run) {
  Statement& blocks =
      *TRY(connection.prepared("DELETE FROM search_blocks WHERE block >= ? AND block < ?"));
  TRY(blocks.bind(1, run.first_block).bind(2, run.first_block + run.blocks).run());
  Statement& row = *TRY(connection.prepared("DELETE FROM search_runs WHERE run = ?"));
  TRY(row.bind(1, run.first_block).run());
  std::erase_if(*runs_, [&](const SearchRun& one) { return one.first_block == run.first_block; });
  return {};
}

Result<void> SearchRuns::merge_some(Connection& connection) {
  constexpr int kClasses = 32;
  for (int which = 0; which < kClasses; ++which) {
    std::vector<SearchRun> same;
    std::int64_t pairs = 0;
    for (const SearchRun& run : *runs_) {
      if (class_of(run) != which || same.size() == kRunsToMerge) continue;
      same.push_back(run);
      pairs += run.pairs;
    }
    if (same.size() == kRunsToMerge && pairs <= kLargestRun) TRY(merge(connection, same));
  }
  return {};
}

Result<void> SearchRuns::merge(Connection& connection, const std::vector<SearchRun>& runs) {
  const auto oldest = static_cast<std::uint64_t>(
      TRY(connection.number("SELECT coalesce(min(id), 0) FROM messages")));
  MergedPairs pairs = TRY(MergedPairs::of(connection, "main", runs));
  RunWriter writer = TRY(RunWriter::begin(connection));
  while (const auto pair = TRY(pairs.next())) {
    if (pair->message >= oldest) TRY(writer.add(*pair));
  }
  const SearchRun merged = TRY(writer.finish());
  for (const SearchRun& run : runs) TRY(remove_run(connection, run));
  return merged.pairs > 0 ? add_run(connection, merged) : Result<void>();
}

MergedPairs::MergedPairs(Connection& connection, const std::string& schema)
    : connection_(&connection),
      select_(fmt::format("SELECT pairs FROM {}.search_blocks WHERE block = ?", schema)) {}

Result<MergedPairs> MergedPairs::of_all(Connection& connection, const std::string& schema) {
  return of(connection, schema, TRY(runs_in(connection, schema)));
}

Result<MergedPairs> MergedPairs::of(Connection& connection, const std::string& schema,
                                    const std::vector<SearchRun>& runs) {
  MergedPairs pairs(connection, schema);
  for (const SearchRun& run : runs) {
    Cursor cursor;
    cursor.block = run.first_block - 1;
    cursor.end = run.first_block + run.blocks;
    pairs.cursors_.push_back(std::move(cursor));
    TRY(pairs.advance(pairs.cursors_.size() - 1));
  }
  return pairs;
}

// Puts the next pair of a run among the heads.
Result<void> MergedPairs::advance(std::size_t number) {
  Cursor& cursor = cursors_[number];
  while (cursor.at + kPairSize > cursor.bytes.size()) {
    if (++cursor.block >= cursor.end) return {};
    Statement& select = *TRY(connection_->prepared(select_));
    select.bind(1, cursor.block);
    cursor.bytes = TRY(select.step()) ? select.text(0) : std::string_view();
    cursor.at = 0;
    select.reset();
  }
  heads_.push({pair_at(cursor.bytes, cursor.at), number});
  cursor.at += kPairSize;
  return {};
}

Result<std::optional<SearchPair>> MergedPairs::next() {
  while (!heads_.empty()) {
    const Head head = heads_.top();
    heads_.pop();
    TRY(advance(head.cursor));
    if (last_ == head.pair) continue;
    last_ = head.pair;
    return last_;
  }
  return std::optional<SearchPair>();
}

Result<std::vector<MessageId>> messages_with(Connection& connection,
                                             const std::vector<SearchKeys>& wanted) {
  std::vector<MessageId> found;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::vector<MessageId> some = TRY(messages_with_one_of(connection, wanted[i]));
    if (i == 0) {
      found = std::move(some);
      continue;
    }
    std::vector<MessageId> both;
    std::set_intersection(found.begin(), found.end(), some.begin(), some.end(),
                          std::back_inserter(both));
    found = std::move(both);
  }
  return found;
}

}  // namespace cannula::store
