#include "engine/pipeline/retry_policy.h"

#include <nlohmann/json.hpp>

#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::pipeline {
namespace {

// The status of an HTTP answer, such as "409"; empty when it is none.
std::string status_of(const Answer& answer) {
  if (answer.attributes.empty()) return {};
  const auto attributes = nlohmann::json::parse(answer.attributes, nullptr, false);
  if (!attributes.is_object()) return {};
  const auto status = attributes.find("status");
  return status != attributes.end() && status->is_number_integer()
             ? std::to_string(status->get<int>())
             : std::string();
}

// MSA-1 of an HL7 v2 answer.
std::string acknowledgement_of(const Answer& answer) {
  if (!answer.response || answer.reason.code.empty() || answer.reason.code.front() != 'M')
    return {};
  const auto acknowledgement = hl7v2::Acknowledgement::parse(*answer.response);
  return acknowledgement ? std::string(hl7v2::name_of(acknowledgement->code)) : std::string();
}

std::string_view class_of(const Answer& answer) {
  const auto is_one_of = [&](std::initializer_list<std::string_view> codes) {
    return std::find(codes.begin(), codes.end(), answer.reason.code) != codes.end();
  };
  if (answer.kind == Answer::Kind::refused) return "refused";
  if (is_one_of({"T359", "T360"})) return "transport";  // it answered, and is not there for us
  if (answer.response) return "busy";
  if (is_one_of({"T104", "T356", "M203"})) return "timeout";
  if (is_one_of({"T106", "T107", "T357"})) return "tls";
  return "transport";
}

}  // namespace

std::vector<std::string> names_of(const Answer& answer) {
  std::vector<std::string> names;
  const std::string status = status_of(answer);
  if (!status.empty()) names.push_back(status);
  if (std::string word = acknowledgement_of(answer); !word.empty()) {
    names.push_back(std::move(word));
  }
  if (!answer.reason.code.empty()) names.push_back(answer.reason.code);
  if (status.size() == 3) names.push_back(status.substr(0, 1) + "xx");
  names.emplace_back(class_of(answer));
  return names;
}

config::RetryConfig::Act act_on(const config::RetryConfig& retry, const Answer& answer) {
  using Act = config::RetryConfig::Act;
  if (answer.reason.code.starts_with('P')) return Act::retry;  // trouble of our own
  if (!retry.on.empty()) {
    for (const std::string& name : names_of(answer)) {
      if (auto found = retry.on.find(name); found != retry.on.end()) return found->second;
    }
  }
  return answer.kind == Answer::Kind::refused ? Act::dead : Act::retry;
}

}  // namespace cannula::pipeline
