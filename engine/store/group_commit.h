// Brings submissions to disk: one thread takes everything that waits, writes it as one batch, syncs
// once and tells all.
//
// submit() encodes on the caller's thread; the lock is held only to give out ids and positions.
// Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/store/frame_seal.h"
#include "engine/store/journal.h"
#include "engine/store/store.h"

namespace cannula::store {

// A submission that is on disk, as the index takes it over.
struct Durable {
  Position begin = 0;
  Position end = 0;
  std::uint64_t last_checksum = 0;  // of the payload of its last record
  std::vector<Record> records;
  std::vector<Position> positions;
  std::size_t memory = 0;  // of the records
};

class GroupCommit {
 public:
  // `durable` is called on the journal's thread with each batch, before the completions of its
  // submissions.
  using OnDurable = std::function<void(std::vector<Durable> batch)>;

  // `keys`: what records are sealed with; null: they stay plain.
  GroupCommit(Journal& journal, security::KeyRing* keys, std::size_t pending_limit,
              OnDurable durable);
  ~GroupCommit();

  void submit(std::vector<Record> records, Store::Completion done);
  bool has_room() const;
  void when_room(std::function<void()> resume);
  // Why the last batch did not reach the disk; nothing when it did.
  std::optional<Error> trouble() const;
  // Submits a mark, unless something waits to be written anyway.
  void probe();

  // Ends the last segment: what is written afterwards, first a mark, is in another.
  void roll(Store::Completion done);

  // Writes what waits, then a mark that everything before it was on disk. Later submissions
  // complete with J105.
  void close();

 private:
  struct Submission {
    std::string frames;
    std::vector<std::uint32_t> offsets;          // of the frames
    std::vector<const security::DataKey*> keys;  // for each frame; none when they are plain
    std::vector<Committed> committed;
    Durable durable;
    Store::Completion done;
  };

  void run();
  void write(std::vector<Submission>& all);
  Result<void> encode(const std::vector<Record>& records, Submission& submission) const;
  Result<void> append(std::vector<Submission>& batch);
  void seal(Submission& submission, Position first);
  void make_room(std::size_t written);
  void assign(Submission& submission);
  void enqueue(Submission submission);
  void note(const Result<void>& written);

  Journal& journal_;
  security::KeyRing* const keys_;
  const std::size_t pending_limit_;
  const OnDurable durable_;

  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::vector<Submission> pending_;
  std::vector<std::function<void()>> waiting_for_room_;
  std::uint64_t last_id_;
  Position next_position_;
  bool closing_ = false;
  std::optional<Error> trouble_;
  std::atomic<std::size_t> pending_bytes_{0};

  std::string buffer_;             // of the journal's thread
  Nonces nonces_;                  // of the journal's thread
  std::uint64_t written_last_id_;  // of the journal's thread: highest id handed to the journal
  std::thread thread_;
};

}  // namespace cannula::store
