#include "channels/mllp/expected_answer.h"

#include <algorithm>
#include <utility>

#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/header.h"
#include "parsers/text/terminal_text.h"

namespace cannula::mllp {

namespace {

constexpr std::size_t kLongestQuote = 300;

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

// Enhanced mode in which neither acknowledgement is wanted (2.8.3, table 0155).
bool wants_none(const hl7v2::Header& header) {
  return (header.accept_ack == "NE" || header.application_ack == "NE") &&
         (header.accept_ack == "NE" || header.accept_ack.empty()) &&
         (header.application_ack == "NE" || header.application_ack.empty());
}

// Of bytes outside frames, blanks left out.
std::string_view looks_like(std::string_view start) {
  if (start.starts_with("MSH") || start.starts_with("MSA") || start.starts_with("FHS") ||
      start.starts_with("BHS")) {
    return "HL7 without MLLP framing: the receiver must put VT (0x0B) before and FS CR after it";
  }
  if (start.starts_with("\x15\x03") || start.starts_with("\x16\x03")) {
    return "TLS: the receiver wants it, and this destination has no table tls";
  }
  if (start.starts_with("HTTP/")) return "HTTP: a web server listens there";
  return "nothing that is known here";
}

}  // namespace

ExpectedAnswer::ExpectedAnswer(std::string_view payload, const std::vector<std::string>& retry_on,
                               bool both)
    : retry_on_(retry_on) {
  if (hl7v2::is_batch(payload)) {
    expect_batch(payload);
    return;
  }
  const auto header = hl7v2::Header::peek(payload);
  if (!header) return;
  const std::string id = hl7v2::unescape(header->control_id, header->delimiters);
  if (!trimmed(id).empty()) control_ids_.emplace(trimmed(id));
  comes_ = !wants_none(*header);
  if (!header->accept_ack.empty() && !wants_commit_ack(*header, hl7v2::AckOutcome::accepted))
    wants_no_commit_ = header->accept_ack;
  // One that is wanted for errors only may never come.
  both_ = both && wants_application_ack(*header, hl7v2::AckOutcome::accepted);
}

void ExpectedAnswer::expect_batch(std::string_view payload) {
  const hl7v2::BatchFile file = hl7v2::BatchFile::read(payload);
  const auto add = [this](std::string_view encoded, const hl7v2::Delimiters& delimiters) {
    const std::string id = hl7v2::unescape(encoded, delimiters);
    if (!trimmed(id).empty()) control_ids_.emplace(trimmed(id));
  };
  if (file.header) add(file.header->control_id, file.header->delimiters);
  for (const hl7v2::MessageBatch& batch : file.batches) {
    if (batch.header) add(batch.header->control_id, batch.header->delimiters);
    for (const Span span : batch.messages) {
      const auto header = hl7v2::Header::peek(payload.substr(span.begin, span.size()));
      if (header) add(header->control_id, header->delimiters);
    }
  }
}

bool ExpectedAnswer::matches(std::string_view frame) {
  if (hl7v2::is_batch(frame)) return matches_batch(frame);
  auto parsed = hl7v2::Acknowledgement::parse(frame);
  if (!parsed) {
    ++unreadable_;
    return false;
  }
  acknowledgement_ = *std::move(parsed);
  const std::string_view answered = trimmed(acknowledgement_.control_id);
  if (!control_ids_.empty() && !answered.empty() && !control_ids_.contains(std::string(answered))) {
    return unmatched(answered);
  }
  const bool promise = both_ && !committed_ && acknowledgement_.code == hl7v2::AckCode::CA;
  committed_ = promise;
  return true;
}

bool ExpectedAnswer::awaits_application() const {
  return committed_;
}

bool ExpectedAnswer::matches_batch(std::string_view frame) {
  const hl7v2::BatchFile file = hl7v2::BatchFile::read(frame);
  bool named = control_ids_.empty();
  std::string_view reference;
  const auto look = [&](const std::optional<hl7v2::BatchHeader>& header) {
    if (!header || header->reference.empty()) return;
    reference = header->reference;
    named = named || control_ids_.contains(hl7v2::unescape(header->reference, header->delimiters));
  };
  look(file.header);
  bool negative = false;
  for (const hl7v2::MessageBatch& batch : file.batches) {
    look(batch.header);
    for (const Span span : batch.messages) {
      auto one = hl7v2::Acknowledgement::parse(frame.substr(span.begin, span.size()));
      if (!one) continue;
      named = named || control_ids_.contains(std::string(trimmed(one->control_id)));
      if (!one->positive()) ++refused_;
      if (!negative) acknowledgement_ = *one;
      negative = negative || !one->positive();
    }
  }
  if (named) return true;
  refused_ = 0;
  return unmatched(reference);
}

bool ExpectedAnswer::unmatched(std::string_view control_id) {
  ++unmatched_;
  last_unmatched_ = control_id.substr(0, kLongestQuote);
  return false;
}

Answer ExpectedAnswer::judge(Bytes response) const {
  Answer answer;
  answer.response = std::move(response);
  if (acknowledgement_.positive()) {
    answer.kind = Answer::Kind::delivered;
    return answer;
  }
  std::string message =
      "the receiver answered " + std::string(hl7v2::name_of(acknowledgement_.code));
  if (refused_ > 0) {
    message = std::to_string(refused_) + " messages of the batch were refused, the first (" +
              acknowledgement_.control_id.substr(0, kLongestQuote) + ") with " +
              std::string(hl7v2::name_of(acknowledgement_.code));
  }
  if (!acknowledgement_.text.empty()) {
    message += ": " + acknowledgement_.text.substr(0, kLongestQuote);
  }
  if (!acknowledgement_.error_code.empty()) {
    message += " (error code " + acknowledgement_.error_code.substr(0, kLongestQuote) + ")";
  }
  const bool again = retried(acknowledgement_);
  answer.kind = again ? Answer::Kind::retry : Answer::Kind::refused;
  answer.reason = {again ? "M202" : "M201", std::move(message), "", std::nullopt};
  return answer;
}

std::optional<Error> ExpectedAnswer::missing(const NoAnswer& how) const {
  const std::string when =
      how.waited ? "within " + *how.waited : std::string("before the connection ended");
  const std::string late = how.waited ? "M203" : "M215";
  if (committed_) {
    return Error{late,
                 "the receiver accepted the message (CA), and its application acknowledgement did "
                 "not come " +
                     when,
                 "it may have processed it or not; `application_timeout` sets how long is waited",
                 std::nullopt};
  }
  if (unmatched_ > 0) {
    return Error{late,
                 "no acknowledgement of control id '" +
                     (control_ids_.empty() ? std::string() : *control_ids_.begin()) + "' came " +
                     when + "; " + std::to_string(unmatched_) + " for other messages came",
                 "the receiver must put the MSH-10 it read into MSA-2", std::nullopt};
  }
  if (unreadable_ > 0) {
    return Error{"M205",
                 "the receiver answered " + when +
                     ", but not with an acknowledgement: there is no MSA segment with a known code",
                 "check what listens at this address", std::nullopt};
  }
  if (how.unfinished > 0) {
    return Error{late,
                 "the acknowledgement was cut off: " + std::to_string(how.unfinished) +
                     " bytes of it came " + when + ", and not its end (FS CR)",
                 "see what came with the attempt; the receiver, or something between, broke it off",
                 std::nullopt};
  }
  if (how.outside.size > 0) {
    return Error{"M205",
                 "the receiver answered " + when +
                     ", but not in an MLLP frame: " + std::to_string(how.outside.size) +
                     " bytes that look like " + std::string(looks_like(how.outside.start)),
                 "check what listens at this address", std::nullopt};
  }
  if (!how.waited) return std::nullopt;
  if (!wants_no_commit_.empty()) {
    return Error{
        late,
        "no acknowledgement came " + when +
            "; the message asks for no commit acknowledgement (MSH-15 " +
            visible(wants_no_commit_, 10) + ")",
        "the receiver may answer on a connection of its own, or not at all: let the script "
        "clear MSH-15 and MSH-16, or write what this receiver answers to",
        std::nullopt};
  }
  return Error{late, "no acknowledgement came " + when,
               "the receiver may be stuck or need a longer timeout", std::nullopt};
}

std::string ExpectedAnswer::quoted() const {
  if (unmatched_ == 0) return {};
  return "the last acknowledgement for another message names '" + visible(last_unmatched_) + "'";
}

bool ExpectedAnswer::retried(const hl7v2::Acknowledgement& acknowledgement) const {
  return std::any_of(retry_on_.begin(), retry_on_.end(), [&](const std::string& code) {
    return code == hl7v2::name_of(acknowledgement.code) || code == acknowledgement.error_code;
  });
}

}  // namespace cannula::mllp
