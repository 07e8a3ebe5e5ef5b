#include "engine/cli/trace_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

std::string member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? visible(found->get<std::string>()) : "";
}

std::string log_text(const json& line) {
  return fmt::format("    {} {}{}\n", member(line, "level"), member(line, "text"),
                     line.contains("fields") ? " " + line["fields"].dump() : std::string());
}

std::string lookup_text(const json& lookup) {
  std::string text =
      fmt::format("    lookup {} '{}': ", member(lookup, "table"), member(lookup, "key"));
  const auto row = lookup.find("row");
  if (row == lookup.end() || !row->is_object()) return text + "no row\n";
  text += fmt::format("line {},", lookup.value("line", 0));
  for (const auto& cell : row->items()) {
    text += fmt::format(" {}={}", cell.key(),
                        cell.value().is_string() ? visible(cell.value().get<std::string>()) : "");
  }
  return text + "\n";
}

std::string finding_text(const json& finding) {
  const std::string state = member(finding, "state");
  std::string text = fmt::format("      {} version {}: {}", member(finding, "rule"),
                                 finding.value("version", 0), state);
  if (finding.value("hold", false)) text += ", held for review";
  if (const std::string place = member(finding, "place"); !place.empty()) text += " on " + place;
  if (const std::string said = member(finding, "text"); !said.empty()) {
    text += fmt::format(": {} \"{}\"", member(finding, "urgency"), said);
  }
  if (const std::string route = member(finding, "route"); !route.empty())
    text += ", route " + route;
  text += '\n';
  if (state == "not fired") return text;
  const auto because = finding.find("because");
  if (because == finding.end() || !because->is_array()) return text;
  for (const json& step : *because) {
    if (step.is_string()) text += "        " + visible(step.get<std::string>()) + "\n";
  }
  return text;
}

std::string verdict_text(const json& verdict) {
  std::string text = fmt::format("    rules {}:\n", member(verdict, "set"));
  const auto findings = verdict.find("findings");
  if (findings == verdict.end() || !findings->is_array() || findings->empty()) {
    return text + "      no rule is about what this message holds\n";
  }
  for (const json& finding : *findings) text += finding_text(finding);
  return text;
}

std::string validation_text(const json& finding) {
  return fmt::format("    {}[{}] {}: {}\n", member(finding, "severity"), member(finding, "code"),
                     visible(member(finding, "path")), visible(member(finding, "text")));
}

}  // namespace

std::string trace_text(const json& line) {
  if (const auto lookup = line.find("lookup"); lookup != line.end()) return lookup_text(*lookup);
  if (const auto verdict = line.find("rules"); verdict != line.end()) return verdict_text(*verdict);
  if (const auto found = line.find("finding"); found != line.end()) return validation_text(*found);
  return log_text(line);
}

// Text that a sender wrote, for a terminal: nothing that it would obey, one line, at most so many
// bytes.
}  // namespace cannula::cli
