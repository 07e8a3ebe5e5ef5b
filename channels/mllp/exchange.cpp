#include "channels/mllp/exchange.h"

#include <algorithm>
#include <chrono>

#include "channels/mllp/framing/commit_block.h"
#include "channels/transport/wall_clock.h"
#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::mllp {

namespace {

using hl7v2::AckOutcome;

// Messages that are offered together.
constexpr std::size_t kSlice = 256;
constexpr std::size_t kSliceBytes = 4 << 20;
// Of each text of an envelope, as it stands with every message of a batch: what is kept of it in
// any case, and at most. Between them all copies together are no longer than the frame.
constexpr std::size_t kLeastOfEnvelope = 256;
constexpr std::size_t kMostOfEnvelope = 1024;

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

// A text of HL7 within JSON: its bytes are read as ISO 8859-1, so that any of them can be told. Cut
// once it takes up `most` bytes, and then it says how long it was.
void append_json(std::string& out, std::string_view name, std::string_view text, std::size_t most) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += out.ends_with('{') ? "\"" : ",\"";
  out += name;
  out += "\":\"";
  const std::size_t begin = out.size();
  for (const char c : text) {
    if (out.size() - begin >= most) {
      out += " [cut: it has " + std::to_string(text.size()) + " bytes]";
      break;
    }
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

// The envelope that a message came in, kept with it: {"batch": {…}}. `most` bytes of each text.
std::string attributes_of(const hl7v2::BatchFile& file, const hl7v2::MessageBatch& batch,
                          std::size_t number, std::size_t most) {
  std::string out = "{\"batch\":{";
  if (file.header) append_json(out, "file_header", file.header->text, most);
  if (batch.header) append_json(out, "header", batch.header->text, most);
  if (!batch.trailer.empty()) append_json(out, "trailer", batch.trailer, most);
  if (!file.trailer.empty()) append_json(out, "file_trailer", file.trailer, most);
  append_json(out, "message", std::to_string(number), most);
  append_json(out, "of", std::to_string(batch.messages.size()), most);
  out += "}}";
  return out;
}

Error too_many_messages() {
  return Error{"M110",
               "the frame holds more than " + std::to_string(kMostOfOneFrame) +
                   " messages and envelopes, and no more are taken at once",
               "send it in several frames", std::nullopt};
}

void append_frame(std::string& out, std::string_view content) {
  out += kStartBlock;
  out += content;
  out += kTrailer;
}

}  // namespace

void Exchange::add(Frame frame, std::size_t max_size) {
  Group group{.kind = frame.kind, .size = frame.size, .max_size = max_size};
  const bool batch = frame.kind == Frame::Kind::whole && hl7v2::is_batch(frame.content);
  if (batch && hl7v2::count_headers(frame.content, kMostOfOneFrame + 1) > kMostOfOneFrame) {
    group.kind = Frame::Kind::oversized;
    group.defect = too_many_messages();
    frame.content.resize(std::min(frame.content.size(), Deframer::kKept));
    frame.content.shrink_to_fit();
  }
  group.whole = make_bytes(std::move(frame.content));
  if (batch && !group.defect) {
    group.batch = hl7v2::BatchFile::read(*group.whole);
    group.share = std::clamp(group.size / std::max<std::size_t>(group.batch->message_count(), 1),
                             kLeastOfEnvelope, kMostOfEnvelope);
    const std::vector<Error>& found = group.batch->findings;
    findings_.insert(findings_.end(), found.begin(), found.end());
  }
  groups_.push_back(std::move(group));
}

std::vector<Arrival> Exchange::next_arrivals() {
  std::vector<Arrival> arrivals;
  offered_.clear();
  std::size_t bytes = 0;
  while (next_.group < groups_.size() && arrivals.size() < kSlice && bytes < kSliceBytes) {
    const Group& group = groups_[next_.group];
    if (!group.batch) {
      add_message(arrivals, group.whole, {});
    } else if (next_of_batch(arrivals)) {
      bytes += arrivals.back().body->size();
      continue;
    }
    if (!group.batch) bytes += group.whole->size();
    next_ = {next_.group + 1, 0, 0};
  }
  return arrivals;
}

// False when the batch has no more.
bool Exchange::next_of_batch(std::vector<Arrival>& arrivals) {
  const Group& group = groups_[next_.group];
  const hl7v2::BatchFile& file = *group.batch;
  while (next_.batch < file.batches.size() &&
         next_.message == file.batches[next_.batch].messages.size()) {
    next_ = {next_.group, next_.batch + 1, 0};
  }
  if (next_.batch == file.batches.size()) return false;
  const hl7v2::MessageBatch& batch = file.batches[next_.batch];
  const Span span = batch.messages[next_.message++];
  add_message(arrivals, make_bytes(group.whole->substr(span.begin, span.size())),
              attributes_of(file, batch, next_.message, group.share));
  return true;
}

void Exchange::add_message(std::vector<Arrival>& arrivals, Bytes body, std::string attributes) {
  const Group& group = groups_[next_.group];
  Message message;
  message.kind = group.kind;
  message.group = next_.group;
  message.body = std::move(body);
  Result<hl7v2::Header> header = hl7v2::Header::peek(*message.body);

  Arrival arrival;
  arrival.body = message.body;
  arrival.peer_address = peer_->address;
  arrival.attributes = std::move(attributes);
  arrival.defect =
      group.defect ? group.defect : defect_of({group.kind, {}, group.size}, header, group.max_size);
  if (header) {
    arrival.event = header->event();
    arrival.control_id = header->control_id;
    arrival.sender.append(header->sending_application).append("|").append(header->sending_facility);
    message.header = *std::move(header);
  }
  offered_.push_back(std::move(message));
  arrivals.push_back(std::move(arrival));
}

void Exchange::settle(const std::vector<Receipt>& receipts,
                      const std::function<MessageId()>& fresh_id) {
  for (std::size_t i = 0; i < offered_.size() && i < receipts.size(); ++i) {
    take(offered_[i], receipts[i], fresh_id);
  }
  if (receipts.size() < offered_.size()) {  // the intake has gone: nobody knows what to answer
    groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(offered_[receipts.size()].group),
                  groups_.end());
    return;
  }
  const bool not_now = std::all_of(receipts.begin(), receipts.end(), [](const Receipt& receipt) {
    return receipt.disposition == Disposition::failed && !receipt.id;
  });
  if (not_now && !receipts.empty()) answer_the_rest(receipts.back(), fresh_id);
}

void Exchange::answer_the_rest(const Receipt& receipt, const std::function<MessageId()>& fresh_id) {
  while (!next_arrivals().empty()) {
    for (const Message& message : offered_) take(message, receipt, fresh_id);
  }
}

void Exchange::take(const Message& message, const Receipt& receipt,
                    const std::function<MessageId()>& fresh_id) {
  Group& group = groups_[message.group];
  if (receipt.disposition == Disposition::failed) group.stored = false;
  const AnswerRules::BatchAnswer rule = rules_->batch;
  const bool left_out =
      group.batch && (rule == AnswerRules::BatchAnswer::none ||
                      (rule == AnswerRules::BatchAnswer::errors &&
                       receipt.disposition == Disposition::accepted && !receipt.reply));
  group.answers.push_back(left_out ? std::string() : answer(message, receipt, fresh_id));
}

std::string Exchange::answers(const std::function<MessageId()>& fresh_id) const {
  std::string out;
  for (const Group& group : groups_) append_answers(out, group, fresh_id);
  return out;
}

void Exchange::append_answers(std::string& out, const Group& group,
                              const std::function<MessageId()>& fresh_id) const {
  using BatchAnswer = AnswerRules::BatchAnswer;
  if (group.kind == Frame::Kind::cut_off) return;
  if (rules_->commits) out += group.stored ? kCommitted : kNotCommitted;
  if (!group.batch || rules_->batch == BatchAnswer::each) {
    for (const std::string& text : group.answers) {
      if (!text.empty()) append_frame(out, text);
    }
    return;
  }
  if (rules_->batch == BatchAnswer::none) return;
  const std::string id = fresh_id().text();
  const std::string text =
      hl7v2::acknowledge_batch(*group.batch, group.answers, {now_microseconds(), id});
  if (!text.empty()) append_frame(out, text);
}

std::string Exchange::answer(const Message& message, const Receipt& receipt,
                             const std::function<MessageId()>& fresh_id) const {
  if (receipt.reply && receipt.reply->body) return *receipt.reply->body;
  if (message.header && is_acknowledgement(*message.header)) return {};
  const std::string id = (receipt.id ? receipt.id : fresh_id()).text();
  hl7v2::AckDetails details;
  details.time = now_microseconds();
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
  // What is not taken in is not processed either, and there will be no later one.
  const bool later = rules_->application_ack_later && !header.application_ack.empty() &&
                     receipt.disposition == Disposition::accepted &&
                     !wants_commit_ack(header, outcome);
  if (later) return {};
  return acknowledge(header, outcome, details).value_or("");
}

}  // namespace cannula::mllp
