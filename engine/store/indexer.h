// Keeps the index behind the journal: takes over what was brought to disk and applies it in large
// transactions, on a thread of its own. What it has no memory for, and what was there before it
// began, it reads from the journal.
//
// When the index file turns out to be damaged it is thrown away and built again from the journal;
// when it cannot be written (a full disk) it is tried again until it can.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "engine/store/group_commit.h"
#include "engine/store/index.h"
#include "engine/store/index_reader.h"
#include "engine/store/journal.h"

namespace cannula::store {

class Indexer {
 public:
  using IndexProgress = std::function<void(std::uint64_t done, std::uint64_t all)>;

  // Opens the index at `path`, makes a new one when it does not fit the journal, and brings it up
  // to the journal's end.
  static Result<std::unique_ptr<Indexer>> open(std::filesystem::path path, const Journal& journal,
                                               const RowSeal& seal, IndexReader& reader,
                                               bool in_background, Recovery& recovery,
                                               const IndexProgress& progress);
  ~Indexer();

  // From the journal's thread. Does not block.
  void take(std::vector<Durable> batch);
  // Waits until everything that was on disk at the call is in the index. Also returns when the
  // indexer is being closed.
  void catch_up();
  // The same, for so long at most: J303 when it has not caught up by then.
  Result<void> catch_up_within(std::chrono::milliseconds time);
  // Why it could not be written last; nothing while it can.
  std::optional<Error> trouble() const;
  Position indexed_up_to() const { return indexed_.load(std::memory_order_acquire); }
  Store::IndexMoment moment() const {
    const std::uint64_t build = builds_.load(std::memory_order_acquire);
    return {build, indexed_up_to()};
  }
  // A reader met what is not the index's own (J302): it is built anew, soon. Does not wait. False:
  // that is under way already.
  bool distrust();
  // For retention, of the thread that prunes: see Index.
  Result<void> settle(Position base, Position as_of);
  // Gives room of deleted rows back, a little at a time, until none is left or `go_on` says no.
  Result<void> tidy(const std::function<bool()>& go_on);
  // Catches up if it can, then stops.
  void close();

 private:
  Indexer(std::filesystem::path path, const Journal& journal, const RowSeal& seal,
          IndexReader& reader)
      : path_(std::move(path)), journal_(journal), seal_(seal), reader_(reader) {}

  // Device and number of a file; both 0: there is none.
  using FileIdentity = std::pair<std::uint64_t, std::uint64_t>;

  Result<void> open_index(Recovery& recovery, const IndexProgress& progress);
  Result<void> replay_at_opening(Recovery& recovery, const IndexProgress& progress);
  Result<std::string> why_not_to_use(const Index& index) const;
  Result<void> build_anew(std::vector<Diagnostic>* damage);
  Result<void> replay(Position to, std::uint64_t* records, std::vector<Diagnostic>* damage);

  void run();
  Error is_behind() const;
  void wait_for_work(std::unique_lock<std::mutex>& guard);
  Result<void> index_taken(std::deque<Durable> taken);
  std::optional<Error> recover_from(const Error& error);
  void look_whether_in_place();
  void build_anew_if_distrusted();
  void empty_log_if_large();
  void publish();

  const std::filesystem::path path_;
  const Journal& journal_;
  const RowSeal& seal_;
  IndexReader& reader_;

  std::mutex
      index_lock_;  // of index_: the thread's, or of whoever calls catch_up() when there is none
  std::unique_ptr<Index> index_;
  FileIdentity file_;                                  // which file index_ is
  std::chrono::steady_clock::time_point looked_at_{};  // of the thread: whether it is in its place
  std::atomic<Position> indexed_{0};
  std::atomic<std::uint64_t> builds_{0};  // changes before indexed_ goes back
  // While it is built anew: what it is to be built from must not go meanwhile.
  std::shared_ptr<const void> pin_;
  Position pinned_until_ = 0;

  mutable std::mutex lock_;
  std::condition_variable work_;
  std::condition_variable progressed_;
  std::deque<Durable> taken_;
  std::size_t taken_bytes_ = 0;
  std::size_t taken_records_ = 0;
  bool left_out_ =
      false;  // something was not taken for want of memory: it is to be read from the journal
  bool distrusted_ = false;
  std::size_t hurried_ = 0;  // callers of catch_up()
  bool closing_ = false;
  std::optional<Error> trouble_;
  bool in_background_ = false;
  std::thread thread_;
};

}  // namespace cannula::store
