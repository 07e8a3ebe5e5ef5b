// What a channel's [validate] makes of a message: whether it is worked, waits for a person or is
// refused, and what is said about it to the sender, to people and to the metrics.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "channels/transport/reply.h"
#include "engine/config/site.h"
#include "engine/pipeline/metrics.h"
#include "parsers/text/result.h"
#include "rules/language/resources.h"

namespace cannula::pipeline {

struct Judgement {
  using Policy = config::ValidationConfig::Policy;
  Policy policy = Policy::ignore;  // the strongest that a finding leads to
  std::size_t errors = 0;          // that are not ignored
  std::size_t warnings = 0;        // the same, with notes that the policy names
  Error reason{};                  // of park (P323) and reject (P322); holds no value but codes
  AckReply ack{};                  // of reject: an ERR for each finding, those that refuse it first
  std::string trace{};             // {"finding": …} lines, as of Conclusion::trace
};

// Bytes that are no HL7 v2 message are an error at their beginning. Cost grows linearly with the
// message. Any thread.
Judgement judge(const Bytes& body, const config::ChannelConfig& channel,
                const rules::Resources& resources);

// What the metrics of the channel say of it.
void count(ChannelMetrics& metrics, const Judgement& judgement);

}  // namespace cannula::pipeline
