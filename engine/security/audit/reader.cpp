#include "engine/security/audit/reader.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/security/audit/log.h"

namespace cannula::audit {
namespace {

using nlohmann::ordered_json;

std::string text_of(const ordered_json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const ordered_json& part_of(const ordered_json& entry, const char* name) {
  static const ordered_json kNone = ordered_json::object();
  const auto found = entry.find(name);
  return found != entry.end() && found->is_object() ? *found : kNone;
}

bool is_by(const ordered_json& actor, const std::string& wanted) {
  const auto uid = actor.find("uid");
  return text_of(actor, "name") == wanted || text_of(actor, "says") == wanted ||
         text_of(actor, "kind") == wanted ||
         (uid != actor.end() && wanted == fmt::format("uid {}", uid->get<std::uint64_t>()));
}

bool fits(const ordered_json& entry, const Filter& filter) {
  const auto same = [](const std::string& wanted, const std::string& there) {
    return wanted.empty() || wanted == there;
  };
  const ordered_json& object = part_of(entry, "object");
  const std::string act = text_of(entry, "act"), at = text_of(entry, "at");
  const bool act_fits =
      filter.act.ends_with('.') ? act.starts_with(filter.act) : same(filter.act, act);
  // Times of this form sort as texts do.
  return act_fits && (filter.since == 0 || at >= time_text(filter.since)) &&
         (filter.until == 0 || at < time_text(filter.until)) &&
         (filter.actor.empty() || is_by(part_of(entry, "actor"), filter.actor)) &&
         same(filter.message, text_of(object, "message")) &&
         same(filter.channel, text_of(object, "channel")) &&
         same(filter.outcome, text_of(entry, "outcome"));
}

// The kinds of http://hl7.org/fhir/R4/valueset-audit-event-type.html, which are DICOM's (PS3.16,
// CID 400 and 401).
struct Kind {
  std::string_view begins;  // the act
  std::string_view type, type_display, subtype, subtype_display, action;
};
constexpr Kind kKinds[] = {
    {"engine.start", "110100", "Application Activity", "110120", "Application Start", "E"},
    {"engine.stop", "110100", "Application Activity", "110121", "Application Stop", "E"},
    {"configuration.", "110113", "Security Alert", "110136", "Security Configuration", "U"},
    {"table.unmapped", "110112", "Query", "", "", "E"},
    {"tables.", "110113", "Security Alert", "110136", "Security Configuration", "U"},
    {"key.", "110113", "Security Alert", "110136", "Security Configuration", "E"},
    {"connection.", "110113", "Security Alert", "110126", "Node Authentication", "E"},
    {"message.refused", "110113", "Security Alert", "110132", "Use of Restricted Function", "C"},
    {"message.show", "110110", "Patient Record", "", "", "R"},
    {"message.search", "110112", "Query", "", "", "E"},
    {"message.list", "110112", "Query", "", "", "E"},
    {"message.export", "110106", "Export", "", "", "R"},
    {"message.", "110110", "Patient Record", "", "", "U"},
    {"audit.", "110101", "Audit Log Used", "", "", "R"},
    {"", "110100", "Application Activity", "", "", "E"},
};

ordered_json coding(std::string_view code, std::string_view display) {
  return {{"system", "http://dicom.nema.org/resources/ontology/DCM"},
          {"code", code},
          {"display", display}};
}

std::string_view outcome_code(const std::string& outcome) {  // FHIR's: success, minor, serious
  if (outcome == "refused") return "4";
  return outcome == "failed" ? "8" : "0";
}

ordered_json agent_of(const ordered_json& actor, const std::string& site) {
  const std::string kind = text_of(actor, "kind");
  ordered_json agent = ordered_json::object();
  std::string name = text_of(actor, "name");
  if (name.empty()) name = kind == "engine" ? "cannula " + site : "unknown " + kind;
  agent["who"] = {{"display", name}};
  if (const auto uid = actor.find("uid"); uid != actor.end())
    agent["altId"] = fmt::format("uid {}", uid->get<std::uint64_t>());
  if (const std::string says = text_of(actor, "says"); !says.empty()) agent["name"] = says;
  agent["requestor"] = kind != "engine";
  if (const std::string address = text_of(actor, "address"); !address.empty())
    agent["network"] = {{"address", address}, {"type", "2"}};  // 2: an IP address
  return agent;
}

ordered_json entities_of(const ordered_json& entry) {
  ordered_json entities = ordered_json::array();
  const ordered_json& object = part_of(entry, "object");
  ordered_json details = ordered_json::array();
  const auto detail = [&](const std::string& type, const std::string& value) {
    if (!value.empty()) details.push_back({{"type", type}, {"valueString", value}});
  };
  for (const char* name : {"channel", "destination", "file", "key"})
    detail(name, text_of(object, name));
  if (const auto delivery = object.find("delivery"); delivery != object.end())
    detail("delivery", delivery->dump());
  for (const auto& [name, value] : part_of(entry, "detail").items())
    if (value.is_string()) detail(name, value.get<std::string>());
  detail("code", text_of(entry, "code"));
  detail("act", text_of(entry, "act"));
  ordered_json entity = ordered_json::object();
  if (const std::string message = text_of(object, "message"); !message.empty()) {
    entity["what"] = {{"identifier", {{"system", "urn:cannula:message"}, {"value", message}}}};
  }
  entity["detail"] = std::move(details);
  entities.push_back(std::move(entity));
  return entities;
}

}  // namespace

Result<void> each_entry(
    const std::filesystem::path& directory, const Filter& filter,
    const std::function<bool(const std::string& line, const ordered_json& entry)>& visit,
    store::FileSystem* file_system) {
  store::FileSystem& files = file_system ? *file_system : store::FileSystem::real();
  for (const std::string& name : trail_files(directory, files)) {
    auto file = TRY(files.open(directory / name, store::FileSystem::Access::read));
    std::string text(static_cast<std::size_t>(TRY(file->size())), '\0');
    text.resize(TRY(file->read(0, text.data(), text.size())));
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) break;
      const std::string line = text.substr(begin, end - begin);
      begin = end + 1;
      if (!link_of(line)) continue;
      const ordered_json entry = ordered_json::parse(line, nullptr, false);
      if (fits(entry, filter) && !visit(line, entry)) return {};
    }
  }
  return {};
}

std::string audit_event(const ordered_json& entry, const std::string& site) {
  const std::string act = text_of(entry, "act"), outcome = text_of(entry, "outcome");
  const Kind& kind = *std::find_if(std::begin(kKinds), std::end(kKinds),
                                   [&](const Kind& one) { return act.starts_with(one.begins); });
  ordered_json event{{"resourceType", "AuditEvent"}};
  event["id"] = fmt::format("{}", entry.value("seq", std::uint64_t{0}));
  event["type"] = coding(kind.type, kind.type_display);
  if (!kind.subtype.empty())
    event["subtype"] = ordered_json::array({coding(kind.subtype, kind.subtype_display)});
  event["action"] = kind.action;
  event["recorded"] = text_of(entry, "at");
  event["outcome"] = outcome_code(outcome);
  const std::string reason = text_of(entry, "reason");
  event["outcomeDesc"] = reason.empty() ? outcome : outcome + ": " + reason;
  event["agent"] = ordered_json::array({agent_of(part_of(entry, "actor"), site)});
  event["source"] = {
      {"site", site},
      {"observer", {{"display", "cannula"}}},
      {"type", ordered_json::array(
                   {{{"system", "http://terminology.hl7.org/CodeSystem/security-source-type"},
                     {"code", "4"},
                     {"display", "Application Server"}}})}};
  event["entity"] = entities_of(entry);
  return event.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace cannula::audit
