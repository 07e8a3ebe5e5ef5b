#include "engine/pipeline/validation.h"

#include <algorithm>

#include <fmt/format.h>

#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/validation/validation.h"

namespace cannula::pipeline {
namespace {

using config::ValidationConfig;
using Policy = ValidationConfig::Policy;

// More would help nobody, and an acknowledgement is not to be larger than its message.
constexpr std::size_t kMostInAck = 20;
constexpr std::size_t kMostInTrace = 100;

Policy policy_for(const hl7v2::Finding& finding, const ValidationConfig& config) {
  for (const std::string_view name : {std::string_view(finding.group_path), finding.code}) {
    if (const auto found = config.on.find(name); found != config.on.end()) return found->second;
  }
  if (finding.severity == Severity::error) return config.errors;
  return finding.severity == Severity::warning ? config.warnings : Policy::ignore;
}

std::string_view word_for(Severity severity) {
  return severity == Severity::error ? "error" : severity == Severity::warning ? "warning" : "note";
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_trace(std::string& out, const hl7v2::Finding& finding) {
  out += fmt::format(R"({{"finding":{{"severity":"{}","code":"{}","path":)",
                     word_for(finding.severity), finding.code);
  append_json_text(out, finding.path);
  out += R"(,"text":)";
  append_json_text(out, finding.message);
  out += "}}\n";
}

// MSH-9, 11 and 12 (200 to 203 of table 0357) are what AR is for; all else is AE (2.8.2).
bool is_about_the_kind(const hl7v2::Finding& finding) {
  return finding.condition.size() == 3 && finding.condition.starts_with("20") &&
         finding.condition <= "203";
}

hl7v2::AckError ack_error_of(const hl7v2::Finding& finding, const hl7v2::Message* message) {
  hl7v2::AckError error;
  // 0 says that the message was accepted; what is beyond a definition has no condition of its own.
  error.code = finding.condition == "0" ? "207" : std::string(finding.condition);
  if (message) error.location = hl7v2::error_location(finding, *message);
  error.severity = finding.severity == Severity::error     ? "E"
                   : finding.severity == Severity::warning ? "W"
                                                           : "I";
  error.text = finding.path + ": " + finding.message;
  error.diagnostics = finding.code;
  return error;
}

class Judge {
 public:
  Judge(const ValidationConfig& config, const hl7v2::Message* message)
      : config_(config), message_(message) {}

  Judgement judge(const std::vector<hl7v2::Finding>& findings) {
    std::vector<std::pair<Policy, const hl7v2::Finding*>> counted;
    for (const hl7v2::Finding& finding : findings) {
      const Policy policy = policy_for(finding, config_);
      if (policy == Policy::ignore) continue;
      counted.emplace_back(policy, &finding);
      result_.policy = std::max(result_.policy, policy);
      ++(finding.severity == Severity::error ? result_.errors : result_.warnings);
      if (counted.size() <= kMostInTrace) append_trace(result_.trace, finding);
    }
    if (counted.size() > kMostInTrace) {
      result_.trace += fmt::format(
          R"({{"finding":{{"severity":"note","code":"H719","path":"MSH","text":"and {} more"}}}})"
          "\n",
          counted.size() - kMostInTrace);
    }
    if (result_.policy >= Policy::park) {
      std::stable_sort(counted.begin(), counted.end(),
                       [](const auto& a, const auto& b) { return a.first > b.first; });
      say_why(counted);
    }
    return std::move(result_);
  }

 private:
  using Counted = std::vector<std::pair<Policy, const hl7v2::Finding*>>;

  void say_why(const Counted& counted) {
    const auto causes = static_cast<std::size_t>(
        std::count_if(counted.begin(), counted.end(),
                      [&](const auto& entry) { return entry.first == result_.policy; }));
    const bool refused = result_.policy == Policy::reject;
    std::string text;
    constexpr std::size_t kMostInText = 5;
    for (std::size_t at = 0; at < std::min(causes, kMostInText); ++at) {
      const hl7v2::Finding& finding = *counted[at].second;
      text += fmt::format("{}{}: {} [{}]", at == 0 ? "" : "; ", finding.path, finding.message,
                          finding.code);
    }
    if (causes > kMostInText) text += fmt::format("; and {} more", causes - kMostInText);
    result_.reason = Error{refused ? "P322" : "P323", text,
                           refused ? "correct it and send the message again" : "", std::nullopt};
    if (refused) fill_ack(counted, causes);
  }

  void fill_ack(const Counted& counted, std::size_t causes) {
    const bool kind =
        std::any_of(counted.begin(), counted.begin() + static_cast<std::ptrdiff_t>(causes),
                    [](const auto& entry) { return is_about_the_kind(*entry.second); });
    AckReply& ack = result_.ack;
    ack.outcome = kind ? hl7v2::AckOutcome::rejected : hl7v2::AckOutcome::error;
    const hl7v2::Finding& first = *counted.front().second;
    ack.text = fmt::format("{}: {}", first.path, first.message);
    if (causes > 1) ack.text += fmt::format(" (and {} more)", causes - 1);
    for (std::size_t at = 0; at < std::min(counted.size(), kMostInAck); ++at) {
      ack.errors.push_back(ack_error_of(*counted[at].second, message_));
    }
  }

  const ValidationConfig& config_;
  const hl7v2::Message* message_;
  Judgement result_;
};

hl7v2::Finding unreadable(const Error& error) {
  hl7v2::Finding finding;
  finding.severity = Severity::error;
  finding.code = "H101";
  finding.path = finding.group_path = "MSH";
  finding.message = "this is no HL7 v2 message: " + error.message;
  finding.condition = "100";
  return finding;
}

}  // namespace

Judgement judge(const Bytes& body, const config::ChannelConfig& channel,
                const rules::Resources& resources) {
  const ValidationConfig& config = channel.validation;
  std::optional<CharacterSet> told;
  if (!channel.charset.empty()) {
    if (auto set = CharacterSet::find(channel.charset)) told = *set;
  }
  const auto decoded = hl7v2::decode(body, hl7v2::Origin::received, told);
  if (!decoded) return Judge(config, nullptr).judge({unreadable(decoded.error())});
  hl7v2::ValidationRules rules;
  rules.version = config.version;
  rules.site_segments = resources.segments.get();
  for (const std::string& name : config.profiles) {
    const auto found = resources.profiles.find(name);
    if (found != resources.profiles.end()) rules.profiles.push_back(found->second.get());
  }
  return Judge(config, &decoded->message).judge(hl7v2::validate(decoded->message, rules));
}

void count(ChannelMetrics& metrics, const Judgement& judgement) {
  metrics.validation_errors += judgement.errors;
  metrics.validation_warnings += judgement.warnings;
  if (judgement.policy == Policy::park) ++metrics.validation_parked;
  if (judgement.policy == Policy::reject) ++metrics.validation_rejected;
}

}  // namespace cannula::pipeline
