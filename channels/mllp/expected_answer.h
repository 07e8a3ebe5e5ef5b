// What a delivered message, or batch, lets one expect from its receiver, and what an answer means
// for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "channels/mllp/framing/deframer.h"
#include "channels/transport/transport.h"
#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::mllp {

// How waiting for an answer ended without it.
struct NoAnswer {
  std::optional<std::string> waited;  // the time-out that ran out; nothing: the connection ended
  std::size_t unfinished = 0;         // bytes of a frame that began and has no end
  Deframer::Garbage outside;          // what came outside frames
};

class ExpectedAnswer {
 public:
  // `retry_on` holds codes of table 0008 ("AE") and of table 0357 ("206") and outlives it. With
  // `both`, a message that asks for both acknowledgements (MSH-15 and MSH-16) is answered only when
  // its application acknowledgement is there.
  ExpectedAnswer(std::string_view payload, const std::vector<std::string>& retry_on,
                 bool both = false);

  // False when MSH-15 and MSH-16 ask for none at all: then written is all that can be known.
  bool comes() const { return comes_; }

  // Whether a frame that came back is the acknowledgement of this message; others, late or sent
  // twice, are remembered for the reason. The control ids must agree, except that
  // - an empty MSA-2 is taken: only one message is under way on a connection, and a connection that
  //   ran into a time-out is never used again, so it can hardly mean another;
  // - a message without MSH or MSH-10 takes any acknowledgement;
  // - a batch takes the batch whose BHS-12 or FHS-12 names it, or in which one of its messages is
  //   acknowledged, and also an acknowledgement that names the batch or one of its messages.
  bool matches(std::string_view frame);

  // After matches(): that was the receiver's promise to process it (CA), and its verdict is still
  // to come and waited for.
  bool awaits_application() const;

  // After matches().
  Answer judge(Bytes response) const;
  // When it never came. Nothing if nothing came at all and the connection ended.
  std::optional<Error> missing(const NoAnswer& how) const;
  // What the receiver said that belongs to that: of the last acknowledgement for another message,
  // its control id. Else empty.
  std::string quoted() const;
  std::size_t skipped() const { return unmatched_ + unreadable_; }

 private:
  bool retried(const hl7v2::Acknowledgement& acknowledgement) const;
  void expect_batch(std::string_view payload);
  bool matches_batch(std::string_view frame);
  bool unmatched(std::string_view control_id);

  const std::vector<std::string>& retry_on_;
  std::unordered_set<std::string> control_ids_;  // unescaped; none: any answer will do
  bool comes_ = true;
  std::string wants_no_commit_;  // MSH-15, where it asks for none when all is well
  bool both_ = false;
  bool committed_ = false;                  // CA has come
  hl7v2::Acknowledgement acknowledgement_;  // of a batch: the first that is not positive
  std::size_t refused_ = 0;                 // messages of a batch
  std::size_t unmatched_ = 0;
  std::size_t unreadable_ = 0;
  std::string last_unmatched_;  // control id
};

}  // namespace cannula::mllp
