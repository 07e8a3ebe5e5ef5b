// What is kept and what is forgotten: what Store::prune() is asked, and what it did.
//
// It works in two steps that need nothing of each other. First a record (Forgotten) says which
// messages, or which bodies, are gone: from then on nobody finds them. Then the segments that have
// something of them are written anew without it (packed_segment.h) and put in the place of the old
// ones. What stays keeps its position.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/store.h"

namespace cannula::store {

// How long, in microseconds, from when the message came to its end; nothing: for ever.
struct Keep {
  std::optional<Timestamp> message;
  std::optional<Timestamp> bodies;  // as received, payloads, responses, and what the script noted
  friend bool operator==(const Keep&, const Keep&) = default;
};

// The hashes that a message is found by.
struct FoundBy {
  std::vector<std::uint64_t> keys;
  bool all = true;  // false: a record of it cannot be read, and may have more
};

// What it does and when is in the order; the caller's functions are called on the caller's thread.
struct PruneReport;
struct PruneOrder {
  // Asked only about states in which a message is at its end.
  std::function<Keep(const std::string& channel, MessageState state)> keep;
  // Whether it may not be forgotten whatever its age, and why; empty: it may.
  std::function<std::string(const MessageRow& row, const FoundBy& found_by)> held;
  Timestamp now = 0;
  // What is forgotten leaves the disk when half of its segment is, and at the latest after this;
  // 0: at once.
  Timestamp within = 0;
  bool dry_run = false;
  // A rest after each piece of work, so many times as long as that took.
  unsigned rest = 0;
  // Runs `work` while nobody sends an ended message again or edits it.
  std::function<Result<void>(const std::function<Result<void>()>& work)> alone;
  // Told between pieces of work; false ends it there, with all that is done staying done.
  std::function<bool(const PruneReport& so_far)> go_on;
};

struct PruneReport {
  struct Channel {
    std::uint64_t messages = 0;  // forgotten
    std::uint64_t bodies = 0;    // messages whose bodies alone were removed
    std::uint64_t bytes = 0;     // of both, in the journal, about
  };
  std::map<std::string, Channel> channels;
  std::map<std::string, std::uint64_t> held;  // messages that are due and kept, by why
  std::uint64_t segments_packed = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t bytes_freed = 0;  // of files
  // Segments that owe room and were left as they are: somebody copies them; they are damaged; what
  // is to stay of them finds no room.
  std::uint64_t segments_pinned = 0;
  std::uint64_t segments_damaged = 0;
  std::uint64_t segments_without_room = 0;
  bool ended_early = false;

  std::uint64_t messages() const;
  std::uint64_t bodies() const;
};

// What was forgotten and is on the disk still.
struct Owed {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // about
  Timestamp since = 0;      // 0: nothing
};

// The record as it stays when bodies are removed, at `removed` (microseconds since 1970).
Record without_bodies(Record record, Timestamp removed);

}  // namespace cannula::store
