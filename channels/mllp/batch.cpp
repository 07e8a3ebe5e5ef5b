#include "channels/mllp/batch.h"

#include <chrono>

#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::mllp {

namespace {

using hl7v2::AckOutcome;

// Why the transport itself knows that a frame cannot be taken.
std::optional<Error> defect_of(const Frame& frame, const Result<hl7v2::Header>& header,
                               std::size_t max_size) {
  if (frame.kind == Frame::Kind::cut_off) {
    return Error{"M104", "the frame was cut off after " + std::to_string(frame.size) + " bytes",
                 "the sender should send it again", std::nullopt};
  }
  if (frame.kind == Frame::Kind::oversized) {
    return Error{"M105",
                 "the message has " + std::to_string(frame.size) + " bytes, and at most " +
                     std::to_string(max_size) + " are taken",
                 "send it in parts, or have max_size of the channel raised", std::nullopt};
  }
  if (!header) {
    return Error{"M103", "the frame does not begin with an MSH segment: " + header.error().message,
                 header.error().hint, std::nullopt};
  }
  return std::nullopt;
}

// An acknowledgement that came to a source, as of enhanced mode, is a message like others but must
// not be answered itself.
bool is_acknowledgement(const hl7v2::Header& header) {
  return header.accept_ack.empty() &&
         (header.message_type == "ACK" ||
          (header.message_type.starts_with("ACK") && header.message_type.size() > 3 &&
           header.message_type[3] == header.delimiters.component));
}

AckOutcome outcome_of(const Receipt& receipt, Frame::Kind kind) {
  switch (receipt.disposition) {
    case Disposition::accepted:
      return AckOutcome::accepted;
    // Rejects speak of type, version, permission (2.8.2); the size is an error of this one message.
    case Disposition::refused:
      return kind == Frame::Kind::oversized ? AckOutcome::error : AckOutcome::rejected;
    case Disposition::failed:
      return AckOutcome::error;
  }
  return AckOutcome::error;
}

std::int64_t microseconds_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void Batch::add(Frame frame, std::size_t max_size) {
  Message message;
  message.kind = frame.kind;
  const std::size_t size = frame.size;
  message.body = make_bytes(std::move(frame.content));
  Result<hl7v2::Header> header = hl7v2::Header::peek(*message.body);

  Arrival arrival;
  arrival.body = message.body;
  arrival.peer_address = peer_->address;
  arrival.defect = defect_of({frame.kind, {}, size}, header, max_size);
  if (arrival.defect) ++defects_;
  if (header) {
    arrival.event = header->event();
    arrival.control_id = header->control_id;
    message.header = *std::move(header);
  }
  messages_.push_back(std::move(message));
  arrivals_.push_back(std::move(arrival));
}

namespace {

// ERR-3 of table 0357. 207 (application internal error) is for what may pass: senders retry it.
// What will be refused again says why.
std::string_view condition_of(const Receipt& receipt) {
  if (receipt.disposition == Disposition::failed) return "207";
  const std::string_view code = receipt.reason.code;
  if (code == "P104") return "201";                           // unsupported event code
  if (code == "P105") return "101";                           // required field missing
  if (code == "M103" || code.starts_with("H")) return "100";  // segment sequence error
  return "207";
}

}  // namespace

std::string Batch::answers(const std::vector<Receipt>& receipts,
                           const std::function<MessageId()>& fresh_id) const {
  std::string out;
  out.reserve(messages_.size() * 192);
  const std::size_t count = std::min(messages_.size(), receipts.size());
  for (std::size_t i = 0; i < count; ++i) append_answer(out, messages_[i], receipts[i], fresh_id);
  return out;
}

void Batch::append_answer(std::string& out, const Message& message, const Receipt& receipt,
                          const std::function<MessageId()>& fresh_id) const {
  if (message.kind == Frame::Kind::cut_off) return;
  std::optional<std::string> built;
  if (!receipt.reply || !receipt.reply->body) {
    if (message.header && is_acknowledgement(*message.header)) return;
    const std::string id = (receipt.id ? receipt.id : fresh_id()).text();
    hl7v2::AckDetails details;
    details.time = microseconds_now();
    details.control_id = id;
    std::string text;
    if (receipt.disposition != Disposition::accepted) {
      text = receipt.reason.message;
      if (!receipt.reason.hint.empty()) text += " (" + receipt.reason.hint + ")";
      details.text = text;
      details.error_code = condition_of(receipt);
      details.diagnostics = receipt.reason.code;
    }
    if (message.header) {
      built = acknowledge(*message.header, outcome_of(receipt, message.kind), details);
      if (!built) return;
    } else if (receipt.disposition == Disposition::accepted) {
      return;  // the intake took what has no header to answer to
    } else {
      built = hl7v2::acknowledge_unreadable(details);
    }
  }
  out += kStartBlock;
  out += built ? *built : *receipt.reply->body;
  out += kTrailer;
}

}  // namespace cannula::mllp
