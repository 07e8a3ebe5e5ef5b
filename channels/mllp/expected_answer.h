// What a delivered message lets one expect from its receiver, and what an answer means for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/transport.h"
#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::mllp {

class ExpectedAnswer {
 public:
  // `retry_on` holds codes of table 0008 ("AE") and of table 0357 ("206") and outlives it.
  ExpectedAnswer(std::string_view payload, const std::vector<std::string>& retry_on);

  // False when MSH-15 and MSH-16 ask for none at all: then written is all that can be known.
  bool comes() const { return comes_; }

  // Whether a frame that came back is the acknowledgement of this message; others, late or sent
  // twice, are remembered for the error text. The control ids must agree, except that
  //   - an empty MSA-2 is taken: only one message is under way on a connection, and a connection
  //   that ran into a time-out is never used
  //     again, so it can hardly mean another;
  //   - a message without MSH or MSH-10 takes any acknowledgement.
  bool matches(std::string_view frame);

  // After matches().
  Answer judge(Bytes response) const;
  // When it never came.
  Error missing(std::string_view waited) const;
  std::size_t skipped() const { return unmatched_ + unreadable_; }

 private:
  bool retried(const hl7v2::Acknowledgement& acknowledgement) const;

  const std::vector<std::string>& retry_on_;
  std::string control_id_;  // unescaped; empty: any answer will do
  bool comes_ = true;
  hl7v2::Acknowledgement acknowledgement_;
  std::size_t unmatched_ = 0;
  std::size_t unreadable_ = 0;
  std::string last_unmatched_;  // control id
};

}  // namespace cannula::mllp
