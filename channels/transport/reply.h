// What a channel's script answers to a sender that waits for it, in place of the transport's own
// acknowledgement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/text/span.h"

namespace cannula {

// An acknowledgement of HL7 v2 of which the script says the content and not the form: whether it is
// AA or CA, and whether one is wanted at all, is decided by the message that it answers.
struct AckReply {
  hl7v2::AckOutcome outcome = hl7v2::AckOutcome::accepted;
  std::string text{};
  std::vector<hl7v2::AckError> errors{};
  std::optional<std::int64_t> expected_sequence{};  // MSA-4

  // What it holds points into this.
  void fill(hl7v2::AckDetails& details) const {
    details.text = text;
    details.errors = errors;
    details.error_code = {};
    details.diagnostics = {};
    details.expected_sequence = expected_sequence;
  }
};

struct Reply {
  unsigned status = 200;  // of HTTP, 200 to 599; other transports send the body alone
  std::vector<std::pair<std::string, std::string>> headers{};  // of HTTP
  // Null: empty over HTTP, and the transport's own acknowledgement over others; empty: no
  // acknowledgement at all over others.
  Bytes body{};
  std::optional<AckReply> ack{};  // of HL7 v2, in place of `body`
};

}  // namespace cannula
