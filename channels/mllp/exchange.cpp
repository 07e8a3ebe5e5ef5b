#include "channels/mllp/exchange.h"

#include <chrono>

#include "channels/mllp/framing/commit_block.h"
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

// A text of HL7 within JSON: its bytes are read as ISO 8859-1, so that any of them can be told.
void append_json(std::string& out, std::string_view name, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += out.ends_with('{') ? "\"" : ",\"";
  out += name;
  out += "\":\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < ' ' || byte > '~') {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// The envelope that a message came in, kept with it: {"batch": {…}}.
std::string attributes_of(const hl7v2::BatchFile& file, const hl7v2::MessageBatch& batch,
                          std::size_t number) {
  std::string out = "{\"batch\":{";
  if (file.header) append_json(out, "file_header", file.header->text);
  if (batch.header) append_json(out, "header", batch.header->text);
  if (!batch.trailer.empty()) append_json(out, "trailer", batch.trailer);
  if (!file.trailer.empty()) append_json(out, "file_trailer", file.trailer);
  append_json(out, "message", std::to_string(number));
  append_json(out, "of", std::to_string(batch.messages.size()));
  out += "}}";
  return out;
}

void append_frame(std::string& out, std::string_view content) {
  out += kStartBlock;
  out += content;
  out += kTrailer;
}

}  // namespace

void Exchange::add(Frame frame, std::size_t max_size) {
  const bool batch = frame.kind == Frame::Kind::whole && hl7v2::is_batch(frame.content);
  const std::size_t size = frame.size;
  Bytes content = make_bytes(std::move(frame.content));
  if (batch) return add_batch(std::move(content));
  groups_.push_back({messages_.size(), messages_.size() + 1});
  add_message(std::move(content), frame.kind, size, max_size, {});
}

void Exchange::add_batch(Bytes whole) {
  hl7v2::BatchFile file = hl7v2::BatchFile::read(*whole);
  Group group{messages_.size(), messages_.size()};
  for (const hl7v2::MessageBatch& batch : file.batches) {
    for (std::size_t i = 0; i < batch.messages.size(); ++i) {
      const Span span = batch.messages[i];
      add_message(make_bytes(whole->substr(span.begin, span.size())), Frame::Kind::whole,
                  span.size(), span.size(), attributes_of(file, batch, i + 1));
    }
  }
  group.end = messages_.size();
  findings_.insert(findings_.end(), file.findings.begin(), file.findings.end());
  group.whole = std::move(whole);
  group.batch = std::move(file);
  groups_.push_back(std::move(group));
}

void Exchange::add_message(Bytes body, Frame::Kind kind, std::size_t size, std::size_t max_size,
                           std::string attributes) {
  Message message;
  message.kind = kind;
  message.body = std::move(body);
  Result<hl7v2::Header> header = hl7v2::Header::peek(*message.body);

  Arrival arrival;
  arrival.body = message.body;
  arrival.peer_address = peer_->address;
  arrival.attributes = std::move(attributes);
  arrival.defect = defect_of({kind, {}, size}, header, max_size);
  if (arrival.defect) ++defects_;
  if (header) {
    arrival.event = header->event();
    arrival.control_id = header->control_id;
    arrival.sender.append(header->sending_application).append("|").append(header->sending_facility);
    message.header = *std::move(header);
  }
  messages_.push_back(std::move(message));
  arrivals_.push_back(std::move(arrival));
}

std::string Exchange::answers(const std::vector<Receipt>& receipts,
                              const std::function<MessageId()>& fresh_id) const {
  std::string out;
  out.reserve(messages_.size() * 192);
  for (const Group& group : groups_) {
    if (group.end <= receipts.size()) append_answers(out, group, receipts, fresh_id);
  }
  return out;
}

void Exchange::append_answers(std::string& out, const Group& group,
                              const std::vector<Receipt>& receipts,
                              const std::function<MessageId()>& fresh_id) const {
  const bool single = !group.batch;
  if (single && messages_[group.begin].kind == Frame::Kind::cut_off) return;
  if (rules_->commits) {
    bool stored = true;  // what was refused is on record too
    for (std::size_t i = group.begin; i < group.end; ++i) {
      stored = stored && receipts[i].disposition != Disposition::failed;
    }
    out += stored ? kCommitted : kNotCommitted;
  }
  if (single || rules_->batch == AnswerRules::BatchAnswer::each) {
    for (std::size_t i = group.begin; i < group.end; ++i) {
      const std::string text = answer(messages_[i], receipts[i], fresh_id);
      if (!text.empty()) append_frame(out, text);
    }
    return;
  }
  const std::string text = batch_answer(group, receipts, fresh_id);
  if (!text.empty()) append_frame(out, text);
}

std::string Exchange::batch_answer(const Group& group, const std::vector<Receipt>& receipts,
                                   const std::function<MessageId()>& fresh_id) const {
  using BatchAnswer = AnswerRules::BatchAnswer;
  if (rules_->batch == BatchAnswer::none) return {};
  std::vector<std::string> answers;
  for (std::size_t i = group.begin; i < group.end; ++i) {
    const bool left_out = rules_->batch == BatchAnswer::errors &&
                          receipts[i].disposition == Disposition::accepted && !receipts[i].reply;
    answers.push_back(left_out ? std::string() : answer(messages_[i], receipts[i], fresh_id));
  }
  const std::string id = fresh_id().text();
  return hl7v2::acknowledge_batch(*group.batch, answers, {microseconds_now(), id});
}

std::string Exchange::answer(const Message& message, const Receipt& receipt,
                             const std::function<MessageId()>& fresh_id) const {
  if (receipt.reply && receipt.reply->body) return *receipt.reply->body;
  if (message.header && is_acknowledgement(*message.header)) return {};
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
  if (!message.header) {
    // Where the intake took what has no header, there is nothing to answer to.
    return receipt.disposition == Disposition::accepted ? std::string()
                                                        : hl7v2::acknowledge_unreadable(details);
  }
  const hl7v2::Header& header = *message.header;
  hl7v2::AckOutcome outcome = outcome_of(receipt, message.kind);
  if (receipt.reply && receipt.reply->ack) {
    outcome = receipt.reply->ack->outcome;
    receipt.reply->ack->fill(details);
  }
  const bool later =
      rules_->application_ack_later && header.accept_ack.empty() && !header.application_ack.empty();
  if (later) return {};
  return acknowledge(header, outcome, details).value_or("");
}

}  // namespace cannula::mllp
