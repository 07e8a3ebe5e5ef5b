// [validate] of a channel: what is done about what is wrong with its messages.
#include <algorithm>

#include <fmt/format.h>

#include "engine/config/folder.h"
#include "engine/config/keys.h"
#include "engine/config/reading.h"
#include "parsers/hl7v2/error_codes.h"

namespace cannula::config {
namespace {

using Policy = ValidationConfig::Policy;

std::optional<Policy> policy_named(std::string_view name) {
  static const std::map<std::string_view, Policy> kPolicies = {{"ignore", Policy::ignore},
                                                               {"warn", Policy::warn},
                                                               {"park", Policy::park},
                                                               {"reject", Policy::reject}};
  const auto found = kPolicies.find(name);
  if (found == kPolicies.end()) return std::nullopt;
  return found->second;
}

// A code of the room that validates, or a place without numbers of repetitions.
bool is_finding(std::string_view name) {
  const auto codes = hl7v2::error_codes();
  if (std::any_of(codes.begin(), codes.end(), [&](const auto& code) { return code.code == name; }))
    return true;
  const auto path = hl7v2::Path::parse(name);
  return path && !path->segment_name().empty() && name.find('[') == std::string_view::npos;
}

}  // namespace

bool ValidationConfig::may(Policy policy) const {
  return errors == policy || warnings == policy ||
         std::any_of(on.begin(), on.end(),
                     [&](const auto& entry) { return entry.second == policy; });
}

bool ValidationConfig::looks() const {
  return may(Policy::warn) || may(Policy::park) || may(Policy::reject);
}

void Reading::read_policies(ValidationConfig& validation, const Node& on, const File& file) const {
  if (!on.is(Node::Kind::table)) {
    file.error("C104", on.span, fmt::format("`on` must be a table, not {}", name_of(on.kind)),
               "write on = { H704 = \"ignore\", PID-8 = \"park\" }");
    return;
  }
  for (const Member& member : on.members) {
    if (!is_finding(member.name)) {
      file.error("C145", member.name_span,
                 fmt::format("no finding has the code or place {}", in_quotes(member.name)),
                 "a code such as H704, or a place such as PID-8 or \"OBX-3.1\"");
      continue;
    }
    const auto policy = member.value.is(Node::Kind::text) ? policy_named(member.value.text)
                                                          : std::optional<Policy>();
    if (!policy) {
      file.error("C145", member.value.span,
                 fmt::format("{} must be \"ignore\", \"warn\", \"park\" or \"reject\"",
                             in_quotes(member.name)));
      continue;
    }
    validation.on[std::string(member.name)] = *policy;
  }
}

void Reading::read_validation(ChannelConfig& channel, const Node& root, const File& file) {
  const Member* table = root.find("validate");
  if (!table) return;
  ValidationConfig& validation = channel.validation;
  const Values values = read_optional(table, validate_options(), "[validate]", file);
  if (!table->value.is(Node::Kind::table)) return;
  validation.errors = policy_named(values.text("errors")).value_or(Policy::warn);
  validation.warnings = policy_named(values.text("warnings")).value_or(Policy::warn);
  if (const Member* on = table->value.find("on")) read_policies(validation, on->value, file);
  if (const Member* written = table->value.find("version"); written && values.has("version")) {
    validation.version = hl7v2::version_of(values.text("version"));
    if (!validation.version) {
      file.error("C145", written->value.span,
                 fmt::format("there is no version {}", in_quotes(values.text("version"))),
                 "versions are 2.1 to 2.8");
    }
  }
  if (!values.has("profile")) return;
  validation.profiles = values.texts("profile");
  const Node& written = table->value.find("profile")->value;
  for (std::size_t at = 0; at < validation.profiles.size(); ++at) {
    const std::string& name = validation.profiles[at];
    if (is_name(name) && is_there(root_ / "hl7" / (name + ".profile"))) continue;
    file.error(
        "C145", at < written.items.size() ? written.items[at].span : written.span,
        fmt::format("there is no profile {}: hl7/{}.profile is missing", in_quotes(name), name),
        "docs/reference/profiles.md tells what stands in one");
  }
}

}  // namespace cannula::config
