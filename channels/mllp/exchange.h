// What one read of a connection brought, on its way through the intake, and what goes back for it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "channels/mllp/framing/deframer.h"
#include "channels/transport/intake.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/header.h"

namespace cannula::mllp {

// How a source answers, beyond what the messages themselves ask for.
struct AnswerRules {
  enum class BatchAnswer { all, errors, each, none };
  // Of a frame that holds a batch (2.10.3.3): a batch with an acknowledgement for each message, or
  // for those that were not accepted; a frame for each of them; or nothing.
  BatchAnswer batch = BatchAnswer::all;
  // MLLP release 2: a commit acknowledgement block for each frame, before its acknowledgement.
  bool commits = false;
  // Where MSH-16 asks for an application acknowledgement, the engine sends it later and by another
  // way (2.8.3.1): it is not given here.
  bool application_ack_later = false;
};

class Exchange {
 public:
  // Both outlive it.
  Exchange(const Peer& peer, const AnswerRules& rules) : peer_(&peer), rules_(&rules) {}

  // Reads no more of a message than its header. A frame that holds a batch gives an arrival for
  // each of its messages. Whatever is wrong with a frame goes along as the arrival's defect.
  void add(Frame frame, std::size_t max_size);

  // Nothing that would have to be offered or answered.
  bool empty() const { return groups_.empty(); }
  std::size_t frames() const { return groups_.size(); }
  std::size_t defects() const { return defects_; }
  // What does not agree in the batches that came, such as their counts.
  const std::vector<Error>& findings() const { return findings_; }
  // To be offered; once. May be empty: a batch may be.
  std::vector<Arrival> take_arrivals() { return std::move(arrivals_); }

  // All that goes back, framed, in the order of the frames. `fresh_id` names the acknowledgements
  // of messages that got no id. May be empty: senders may ask for no answer, and a frame that was
  // cut off gets none, because its sender no longer waits, and would take it for the answer to what
  // it sent next.
  std::string answers(const std::vector<Receipt>& receipts,
                      const std::function<MessageId()>& fresh_id) const;

 private:
  struct Message {
    Bytes body;  // keeps what the header points into
    std::optional<hl7v2::Header> header;
    Frame::Kind kind = Frame::Kind::whole;
  };
  // The messages of one frame.
  struct Group {
    std::size_t begin = 0;
    std::size_t end = 0;
    Bytes whole{};  // of a batch: keeps what `batch` points into
    std::optional<hl7v2::BatchFile> batch{};
  };
  void add_batch(Bytes whole);
  void add_message(Bytes body, Frame::Kind kind, std::size_t size, std::size_t max_size,
                   std::string attributes);
  void append_answers(std::string& out, const Group& group, const std::vector<Receipt>& receipts,
                      const std::function<MessageId()>& fresh_id) const;
  std::string batch_answer(const Group& group, const std::vector<Receipt>& receipts,
                           const std::function<MessageId()>& fresh_id) const;
  // Empty: none.
  std::string answer(const Message& message, const Receipt& receipt,
                     const std::function<MessageId()>& fresh_id) const;

  const Peer* peer_;
  const AnswerRules* rules_;
  std::vector<Message> messages_;
  std::vector<Arrival> arrivals_;
  std::vector<Group> groups_;
  std::vector<Error> findings_;
  std::size_t defects_ = 0;
};

}  // namespace cannula::mllp
