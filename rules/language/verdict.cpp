#include <algorithm>

#include <nlohmann/json.hpp>

#include "rules/language/rule_set.h"

namespace cannula::rules {
namespace {

std::string_view name_of(Finding::State state) {
  switch (state) {
    case Finding::State::fired:
      return "fired";
    case Finding::State::not_fired:
      return "not fired";
    case Finding::State::could_not_tell:
      return "could not tell";
  }
  return "";
}

nlohmann::ordered_json as_json(const Finding& finding) {
  nlohmann::ordered_json json{{"state", name_of(finding.state)},
                              {"rule", finding.rule},
                              {"version", finding.version},
                              {"place", finding.place}};
  if (finding.state == Finding::State::fired) {
    json["urgency"] = rules::name_of(finding.urgency);
    json["text"] = finding.text;
    if (!finding.route.empty()) json["route"] = finding.route;
    if (finding.acknowledge_within.count() > 0)
      json["acknowledge_within"] = finding.acknowledge_within.count();
  }
  if (finding.state == Finding::State::could_not_tell) json["hold"] = finding.hold;
  if (!finding.source.empty()) json["source"] = finding.source;
  json["because"] = finding.because;
  return json;
}

}  // namespace

std::string_view name_of(Urgency urgency) {
  switch (urgency) {
    case Urgency::info:
      return "info";
    case Urgency::warning:
      return "warning";
    case Urgency::critical:
      return "critical";
  }
  return "info";
}

std::optional<Urgency> Verdict::urgency() const {
  std::optional<Urgency> highest;
  for (const Finding& finding : findings) {
    if (finding.state == Finding::State::fired && (!highest || finding.urgency > *highest))
      highest = finding.urgency;
  }
  return highest;
}

bool Verdict::critical() const {
  return urgency() == Urgency::critical;
}

bool Verdict::doubtful() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == Finding::State::could_not_tell && finding.hold;
  });
}

std::string Verdict::trace_json() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) list.push_back(as_json(finding));
  return nlohmann::ordered_json{{"set", rules}, {"findings", std::move(list)}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace cannula::rules
