#include "channels/mllp/expected_answer.h"

#include <algorithm>
#include <utility>

#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/header.h"

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

}  // namespace

ExpectedAnswer::ExpectedAnswer(std::string_view payload, const std::vector<std::string>& retry_on)
    : retry_on_(retry_on) {
  const auto header = hl7v2::Header::peek(payload);
  if (!header) return;
  control_id_ = trimmed(hl7v2::unescape(header->control_id, header->delimiters));
  comes_ = !wants_none(*header);
}

bool ExpectedAnswer::matches(std::string_view frame) {
  auto parsed = hl7v2::Acknowledgement::parse(frame);
  if (!parsed) {
    ++unreadable_;
    return false;
  }
  acknowledgement_ = *std::move(parsed);
  const std::string_view answered = trimmed(acknowledgement_.control_id);
  if (control_id_.empty() || answered.empty() || answered == control_id_) return true;
  ++unmatched_;
  last_unmatched_ = answered.substr(0, kLongestQuote);
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

Error ExpectedAnswer::missing(std::string_view waited) const {
  if (unmatched_ > 0) {
    return {"M203",
            "no acknowledgement of control id '" + control_id_ + "' came within " +
                std::string(waited) + "; " + std::to_string(unmatched_) +
                " for other messages came, the last for '" + last_unmatched_ + "'",
            "the receiver must put the MSH-10 it read into MSA-2", std::nullopt};
  }
  if (unreadable_ > 0) {
    return {"M205",
            "the receiver answered within " + std::string(waited) +
                ", but not with an acknowledgement: there is no MSA segment with a known code",
            "check what listens at this address", std::nullopt};
  }
  return {"M203", "no acknowledgement came within " + std::string(waited),
          "the receiver may be stuck or need a longer timeout", std::nullopt};
}

bool ExpectedAnswer::retried(const hl7v2::Acknowledgement& acknowledgement) const {
  return std::any_of(retry_on_.begin(), retry_on_.end(), [&](const std::string& code) {
    return code == hl7v2::name_of(acknowledgement.code) || code == acknowledgement.error_code;
  });
}

}  // namespace cannula::mllp
