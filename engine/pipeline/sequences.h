// The receiving side of the sequence number protocol (HL7 v2 2.9.1), of one channel whose source
// says `sequence = true`: which number each of its senders has reached, and what is to be done
// about a message by its number (MSH-13) and answered to it (MSA-4).
//
// A link is what one sender (MSH-3, MSH-4) sends to this channel. Its number goes to disk in the
// record of the message that bears it (Accepted::wire_state), so after a crash the two agree.
// On the executor of the channel's receiver.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "channels/transport/intake.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

class Sequences {
 public:
  // What senders choose is kept for good, so there is a limit to it: P337 beyond.
  static constexpr std::size_t kMostLinks = 10'000;
  static constexpr std::size_t kLongestSender = 2 * 227 + 1;  // two HD (2.A.36) and what parts them

  // `channels`: the name of the channel, and the names that it had before.
  Sequences(std::vector<std::string> channels, bool follows, store::Store& store);

  bool follows() const { return follows_; }
  // Where the index must have come to before begin(): it is asked once what an earlier run, or this
  // channel before a reload, has left. 0 when that is known.
  store::Position index_needed_at() const { return loaded_ ? 0 : begins_at_; }

  // Whether it is a message of the link itself (number 0 or -1), which bears nothing to be worked.
  static bool is_link_message(const Arrival& arrival);

  // From begin() to end() the links of these arrivals belong to the caller alone: what is judged
  // builds on numbers that are not on disk yet. False while one of them belongs to somebody else:
  // when_free() calls `resume` when that has ended.
  Result<bool> begin(const std::vector<Arrival>& arrivals);
  void when_free(std::function<void()> resume) { waiting_.push_back(std::move(resume)); }
  // The arrivals that were begun; `stored`: what was judged is on disk.
  void end(const std::vector<Arrival>& arrivals, bool stored);

  struct Verdict {
    // P324 to P327, P337: it is not to be worked. The first two are answered as accepted.
    std::optional<Error> refusal{};
    std::optional<std::int64_t> answer{};         // MSA-4
    std::vector<store::StateWrite> wire_state{};  // for its record
  };
  // In the order they came. `refused`: it is not taken for another reason, and uses up no number.
  Verdict judge(const Arrival& arrival, bool refused);

 private:
  // Of the last message that was taken; none: the next one's number is taken as it is.
  struct Reached {
    std::int64_t number = 0;
    std::uint64_t control_id = 0;  // hash
  };
  using Links = std::map<std::string, Reached>;  // by sender

  Result<void> load();
  Verdict take(const Arrival& arrival, std::optional<Reached> reached);
  Verdict judge_number(const Arrival& arrival, std::int64_t number,
                       const std::optional<Reached>& reached);

  const std::vector<std::string> channels_;
  const bool follows_;
  store::Store& store_;
  const store::Position begins_at_;
  bool loaded_ = false;
  Links links_;  // as on disk
  // Of the links that belong to somebody: as of what was judged last.
  std::map<std::string, std::optional<Reached>> judged_;
  std::set<std::string> taken_;  // links that belong to somebody
  std::vector<std::function<void()>> waiting_;
};

}  // namespace cannula::pipeline
