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

// A frame with more messages or envelopes than this is refused as a whole (M110): its answer has to
// be made and kept as one.
constexpr std::size_t kMostOfOneFrame = 50'000;

class Exchange {
 public:
  // Both outlive it.
  Exchange(const Peer& peer, const AnswerRules& rules) : peer_(&peer), rules_(&rules) {}

  // Reads no more of a frame than tells whether it is a batch.
  void add(Frame frame, std::size_t max_size);

  // Nothing that would have to be offered or answered.
  bool empty() const { return groups_.empty(); }
  std::size_t frames() const { return groups_.size(); }
  // What does not agree in the batches that came, such as their counts.
  const std::vector<Error>& findings() const { return findings_; }

  // What is to be offered next, in the order of the frames: a few hundred messages or a few MB, so
  // that a batch takes little more memory than its frame. Each message of a batch is an arrival of
  // its own, with the envelope as its attributes, long ones cut; whatever is wrong with a frame
  // goes along as the arrival's defect. Empty: all has been offered.
  std::vector<Arrival> next_arrivals();
  // What became of those, in the same order; before the next ones are asked for. `fresh_id` names
  // the acknowledgements of messages that got no id. Where none of them could be taken now, the
  // rest is not offered and is answered as they were.
  void settle(const std::vector<Receipt>& receipts, const std::function<MessageId()>& fresh_id);

  // All that goes back, framed, in the order of the frames, once all has been offered. May be
  // empty: senders may ask for no answer, and a frame that was cut off gets none, because its
  // sender no longer waits, and would take it for the answer to what it sent next.
  std::string answers(const std::function<MessageId()>& fresh_id) const;

 private:
  // The messages of one frame.
  struct Group {
    Bytes whole{};
    Frame::Kind kind = Frame::Kind::whole;
    std::size_t size = 0;                     // on the wire
    std::size_t max_size = 0;                 // that was allowed
    std::optional<hl7v2::BatchFile> batch{};  // views into `whole`
    std::size_t share = 0;                    // bytes of each text of its envelope in a message
    std::optional<Error> defect{};            // of the frame as a whole
    std::vector<std::string> answers{};       // one a message, empty where none is given
    bool stored = true;                       // also what was refused is on record
  };
  // A message that is being offered.
  struct Message {
    Bytes body;  // keeps what the header points into
    std::optional<hl7v2::Header> header;
    Frame::Kind kind = Frame::Kind::whole;
    std::size_t group = 0;
  };
  // Where the next message stands.
  struct Position {
    std::size_t group = 0;
    std::size_t batch = 0;    // of the group
    std::size_t message = 0;  // of the batch
  };
  bool next_of_batch(std::vector<Arrival>& arrivals);
  void add_message(std::vector<Arrival>& arrivals, Bytes body, std::string attributes);
  void answer_the_rest(const Receipt& receipt, const std::function<MessageId()>& fresh_id);
  void take(const Message& message, const Receipt& receipt,
            const std::function<MessageId()>& fresh_id);
  void append_answers(std::string& out, const Group& group,
                      const std::function<MessageId()>& fresh_id) const;
  // Empty: none.
  std::string answer(const Message& message, const Receipt& receipt,
                     const std::function<MessageId()>& fresh_id) const;

  const Peer* peer_;
  const AnswerRules* rules_;
  std::vector<Group> groups_;
  Position next_;
  std::vector<Message> offered_;
  std::vector<Error> findings_;
};

}  // namespace cannula::mllp
