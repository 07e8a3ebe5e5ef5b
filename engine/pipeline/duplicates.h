// Which messages a channel has taken in within its window (`duplicates` of an mllp source, `dedupe`
// of an http one), so that one that comes again is answered as the first was and not worked twice.
//
// A duplicate is the same message byte for byte, with the same sender (MSH-3, MSH-4) and control id
// (MSH-10, or the header that names the request); the same control id with another body is another
// message, which is worked, counted and logged, and so is each that has no control id. Only
// messages that were taken well are remembered, and those that are on record without their sender
// having been told what became of them: what was refused, rejected or dead may come again and is
// worked again.
//
// What came since the channel was opened is found by a hash in memory (about 80 bytes a message);
// what came before, by its control id in the index, for as long as the window reaches back. On the
// executor of the channel's receiver.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "channels/transport/intake.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

class Duplicates {
 public:
  // `channels`: the name of its channel, and the names that had before. `window` of zero: every
  // message is new.
  Duplicates(std::vector<std::string> channels, std::chrono::milliseconds window,
             const store::Store& store);

  bool watches() const { return window_.count() > 0; }
  // Where the index must have come to for look() to be right; 0 when it is not asked any more.
  store::Position index_needed_at() const;

  struct Fingerprint {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
  };
  static Fingerprint of(const Arrival& arrival);
  // Whether it can be one at all.
  static bool may_be(const Arrival& arrival) { return !arrival.control_id.empty(); }
  // Of each of these the number of the first one like it, perhaps its own; those that are left out
  // have no like. In linear time: a sender chooses how many come together.
  static std::vector<std::size_t> twins(const std::vector<Fingerprint>& prints,
                                        const std::function<bool(std::size_t)>& left_out);

  struct Verdict {
    enum class Kind { fresh, duplicate, under_way } kind = Kind::fresh;
    MessageId original{};
    // Of a duplicate: what the first was answered, where a script said it and it is still known.
    std::optional<Reply> reply{};
    // As the index has it, of a duplicate that came before this channel was opened, or whose sender
    // was not told what became of it.
    std::optional<store::MessageState> state{};
    bool id_reused = false;  // fresh, and its control id came before with another body
  };
  Verdict look(const Arrival& arrival, const Fingerprint& fingerprint);

  // It is being taken in: others of its kind are under way until ended() says what became of it.
  void began(const Arrival& arrival, const Fingerprint& fingerprint);
  // What came of it: what came to nothing may come again, and is no duplicate then. What went out of
  // sight is on record, and its sender could not be told what became of it.
  enum class Came { well, to_nothing, out_of_sight };
  // `id` none: it is not on record.
  void ended(const Fingerprint& fingerprint, MessageId id, const std::optional<Reply>& reply,
             Came came);
  // Calls `resume` when the one under way has ended; at once when it has.
  void when_ended(const Fingerprint& fingerprint, std::function<void()> resume);

 private:
  struct Hash {
    std::size_t operator()(const Fingerprint& print) const noexcept { return print.low; }
  };
  // Of one window's length: a whole one is forgotten when the next has passed too.
  struct Generation {
    std::unordered_map<Fingerprint, MessageId, Hash> messages;
    std::unordered_set<Fingerprint, Hash> not_known;  // of them, what became of it
    std::unordered_set<MessageId> came_to_nothing;    // which the index may not know yet
    std::unordered_set<std::uint64_t> control_ids;
    std::unordered_map<Fingerprint, Reply, Hash> replies;
    std::size_t reply_bytes = 0;  // their bodies
  };
  std::optional<Verdict> in_memory(const Fingerprint& fingerprint) const;
  std::optional<Verdict> in_store(const Arrival& arrival, const Fingerprint& fingerprint);
  std::optional<Verdict> in_store_as(const std::string& channel, const Arrival& arrival,
                                     const Fingerprint& fingerprint);
  bool is_first(const store::MessageRow& row, const Arrival& arrival) const;
  void age();

  const std::vector<std::string> channels_;
  const std::chrono::milliseconds window_;
  const store::Store& store_;
  Generation current_;
  Generation previous_;
  std::chrono::steady_clock::time_point begun_;  // of `current_`
  // Until then the index may know of messages that memory does not.
  std::chrono::steady_clock::time_point ask_store_until_;
  store::Position memory_begins_at_;  // what is before it, the index alone knows
  std::unordered_map<Fingerprint, std::vector<std::function<void()>>, Hash> under_way_;
};

}  // namespace cannula::pipeline
