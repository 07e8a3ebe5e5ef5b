// The sending side of the sequence number protocol (HL7 v2 2.9.1) on one link: which number each
// delivery bears, and what the numbers that come back (MSA-4) mean. No I/O: sequenced.cpp sends.
//
// A delivery keeps its number until the receiver has taken it, or is known not to have; the number
// is on record (memory()) before it is sent for the first time. So it has the same number after a
// crash, and a receiver that has it already says so instead of working it twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/text/result.h"

namespace cannula::mllp {

class OutgoingSequence {
 public:
  // What the link begins with: a message numbered 0, whose answer says which number is expected,
  // or one numbered -1, after which the receiver takes any number.
  enum class Start { restart = 0, resync = -1 };
  explicit OutgoingSequence(Start start) : start_(start), opening_(start) {}

  // What memory() said in an earlier run. Once, before all else; until then recalled() is false.
  void recall(std::string_view memory);
  bool recalled() const { return recalled_; }

  // What has to be sent and answered before this delivery can be; nothing: the link is in step.
  // `key` is the same at each attempt.
  std::optional<std::int64_t> opening(std::string_view key) const;

  enum class Next {
    send,       // the delivery, with number(key)
    delivered,  // the receiver has it already
    again,      // later, as if it had not been sent: its number was taken by an earlier one
    as_it_says  // the acknowledgement is all there is to know
  };
  // The answer to opening(). M213: the receiver does not follow the protocol. M212: it expects a
  // number that was never given, or that it has acknowledged. A person has to see to both.
  Result<Next> opened(std::string_view key, const hl7v2::Acknowledgement& answer);

  // The number of this delivery, and whether it had it before. give() makes it so, once memory_of()
  // is on record.
  struct Number {
    std::int64_t value;
    bool repeated;
  };
  Number number(std::string_view key) const;
  std::string memory_of(std::string_view key) const;
  void give(std::string_view key);

  // The acknowledgement of the delivery that has the last number that was given. `repeated`: it had
  // it before this attempt. M212 as above.
  Result<Next> answered(bool repeated, const hl7v2::Acknowledgement& answer);

  // What has to be known after a crash.
  std::string memory() const;

 private:
  Error out_of_step(std::int64_t expected, std::int64_t sent);

  const Start start_;
  Start opening_;         // what the link is to be opened with
  bool in_step_ = false;  // it has been opened, and nothing was in doubt since
  bool recalled_ = false;
  std::int64_t last_ = 0;  // the last number that was given; 0: none was ever
  std::string owner_;      // the delivery that has it and may be taken or not; empty: it is taken
  bool reused_ = false;    // `last_` had another owner, which was given up
};

}  // namespace cannula::mllp
