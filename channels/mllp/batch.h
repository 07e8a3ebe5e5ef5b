// The frames of one read on their way through the intake, and the acknowledgements that go back for
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "channels/mllp/framing/deframer.h"
#include "channels/transport/intake.h"
#include "parsers/hl7v2/header.h"

namespace cannula::mllp {

class Batch {
 public:
  explicit Batch(const Peer& peer) : peer_(&peer) {}  // which must outlive it

  // Reads no more of the frame than its header. Whatever is wrong with it goes along as the
  // arrival's defect.
  void add(Frame frame, std::size_t max_size);

  bool empty() const { return messages_.empty(); }
  std::size_t size() const { return messages_.size(); }
  std::size_t defects() const { return defects_; }
  // To be offered; once.
  std::vector<Arrival> take_arrivals() { return std::move(arrivals_); }

  // All acknowledgements, framed, in the order of the messages. `fresh_id` names the
  // acknowledgements of messages that got no id. May be empty: senders may ask for no answer, and a
  // frame that was cut off gets none, because its sender no longer waits, and would take it for the
  // answer to what it sent next.
  std::string answers(const std::vector<Receipt>& receipts,
                      const std::function<MessageId()>& fresh_id) const;

 private:
  struct Message {
    Bytes body;  // keeps what the header points into
    std::optional<hl7v2::Header> header;
    Frame::Kind kind = Frame::Kind::whole;
  };
  void append_answer(std::string& out, const Message& message, const Receipt& receipt,
                     const std::function<MessageId()>& fresh_id) const;

  const Peer* peer_;
  std::vector<Message> messages_;
  std::vector<Arrival> arrivals_;
  std::size_t defects_ = 0;
};

}  // namespace cannula::mllp
