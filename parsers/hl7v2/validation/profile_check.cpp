#include <algorithm>
#include <map>

#include "parsers/hl7v2/validation/findings.h"
#include "parsers/hl7v2/validation/primitives.h"
#include "parsers/hl7v2/validation/profile.h"

namespace cannula::hl7v2 {
namespace {

constexpr Kind kRequired{"H721", Severity::error, "101"};
constexpr Kind kForbidden{"H722", Severity::error, "207"};
constexpr Kind kLength{"H723", Severity::error, "102"};
constexpr Kind kCode{"H724", Severity::error, "103"};
constexpr Kind kType{"H725", Severity::error, "102"};
constexpr Kind kRepetitions{"H726", Severity::error, "102"};

}  // namespace

class ProfileCheck {
 public:
  ProfileCheck(const Message& message, const Profile& profile, Findings& findings)
      : message_(message), profile_(profile), findings_(findings) {}

  void run() {
    for (const Rule& rule : profile_.rules_) check(rule);
  }

 private:
  using Rule = Profile::Rule;
  using Condition = Profile::Condition;

  const std::vector<SegmentId>& segments(std::string_view name) {
    const auto known = segments_.find(name);
    if (known != segments_.end()) return known->second;
    return segments_.emplace(name, message_.each(name)).first->second;
  }

  void check(const Rule& rule) {
    const std::vector<SegmentId>& all = segments(rule.path.segment_name());
    if (rule.path.field == 0) {
      check_segments(rule, all);
      return;
    }
    for (std::size_t at = 0; at < all.size(); ++at) {
      const bool meant = rule.path.segment_index == 1 || rule.path.segment_index == at + 1;
      if (meant && holds(rule, all[at])) check_field(rule, all[at]);
    }
  }

  void check_segments(const Rule& rule, const std::vector<SegmentId>& all) {
    if (rule.kind == Rule::Kind::forbidden) {
      for (const SegmentId segment : all) {
        if (holds(rule, segment)) add(kForbidden, rule, Place{segment}, "must not be sent");
      }
    } else if (all.empty() && holds(rule, message_.segment_at(0))) {
      add(kRequired, rule, Place{message_.segment_at(0)},
          fmt::format("the segment {} is required and missing", rule.path.segment_name()));
    }
  }

  bool holds(const Rule& rule, SegmentId base) {
    return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                       [&](const Condition& condition) { return holds(condition, base); });
  }

  bool holds(const Condition& condition, SegmentId base) {
    const auto segment = segment_for(condition.path, base);
    std::string value;
    if (segment) value = message_.get(place_of(condition.path, *segment, 0)).value_or("");
    const bool listed = std::find(condition.values.begin(), condition.values.end(), value) !=
                        condition.values.end();
    switch (condition.kind) {
      case Condition::Kind::valued:
        return !value.empty();
      case Condition::Kind::empty:
        return value.empty();
      case Condition::Kind::one_of:
        return listed;
      case Condition::Kind::none_of:
        return !listed;
    }
    return false;
  }

  // The segment itself, or the one of the name that stands nearest before it, else the first.
  std::optional<SegmentId> segment_for(const Path& path, SegmentId base) {
    if (message_.name_of(base) == path.segment_name()) return base;
    const std::vector<SegmentId>& all = segments(path.segment_name());
    if (all.empty()) return std::nullopt;
    const auto behind = std::upper_bound(all.begin(), all.end(), base);
    return behind == all.begin() ? all.front() : *(behind - 1);
  }

  static Place place_of(const Path& path, SegmentId segment, std::uint32_t repetition) {
    return {segment, path.field, repetition, path.component, path.subcomponent};
  }

  void check_field(const Rule& rule, SegmentId segment) {
    const Place field{segment, rule.path.field};
    const std::uint32_t count = message_.repetitions(field);
    if (rule.kind == Rule::Kind::repetitions) {
      if (count > rule.highest) {
        add(kRepetitions, rule, field,
            fmt::format("may come {} times, and comes {} times", rule.highest, count));
      }
      return;
    }
    const bool one = rule.path.repetition != 0 && rule.path.repetition != Path::kAll;
    const std::uint32_t first = one ? rule.path.repetition : 1;
    const std::uint32_t last = one ? first : std::max(count, 1U);
    for (std::uint32_t at = first; at <= last; ++at) {
      check_value(rule, place_of(rule.path, segment, at));
    }
  }

  void check_value(const Rule& rule, const Place& place) {
    const auto text = message_.get(place);
    if (!text || text->empty()) {
      if (rule.kind == Rule::Kind::required) add(kRequired, rule, place, "is required and empty");
      return;
    }
    switch (rule.kind) {
      case Rule::Kind::forbidden:
        add(kForbidden, rule, place, "must not be sent");
        return;
      case Rule::Kind::length:
        check_length(rule, place, *text);
        return;
      case Rule::Kind::codes:
        if (std::find(rule.codes.begin(), rule.codes.end(), *text) == rule.codes.end()) {
          add(kCode, rule, place,
              rule.word.empty() ? fmt::format("is none of {}", fmt::join(rule.codes, ", "))
                                : fmt::format("is no code of table {}", rule.word));
        }
        return;
      case Rule::Kind::type:
        if (const auto wrong = wrong_with(rule.word, *text); !wrong.empty()) {
          add(kType, rule, place, std::string(wrong));
        }
        return;
      case Rule::Kind::required:
      case Rule::Kind::repetitions:
        return;
    }
  }

  void check_length(const Rule& rule, const Place& place, std::string_view text) {
    const auto characters =
        static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
          return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        }));
    if (characters >= rule.lowest && characters <= rule.highest) return;
    add(kLength, rule, place,
        rule.lowest == 0
            ? fmt::format("has {} characters; {} are allowed", characters, rule.highest)
            : fmt::format("has {} characters; {} to {} are allowed", characters, rule.lowest,
                          rule.highest));
  }

  void add(const Kind& kind, const Rule& rule, const Place& place, std::string text) {
    if (kind.code == kRequired.code && rule.path.field == 0) {
      findings_.add_missing_segment(kind, rule.severity, place, rule.path.segment_name(),
                                    with_reason(rule, std::move(text)));
      return;
    }
    if (place.field > 0) text = "the value " + text;
    if (place.field == 0) text = "the segment " + text;
    findings_.add(kind, rule.severity, place, with_reason(rule, std::move(text)));
  }

  std::string with_reason(const Rule& rule, std::string text) const {
    const std::string_view profile =
        profile_.name_.empty() ? std::string_view("the profile") : profile_.name_;
    text += fmt::format(", says {}", profile);
    if (!rule.text.empty()) text += ": " + rule.text;
    return text;
  }

  const Message& message_;
  const Profile& profile_;
  Findings& findings_;
  std::map<std::string_view, std::vector<SegmentId>> segments_;
};

void Profile::check(const Message& message, Findings& findings) const {
  if (applies_to(message)) ProfileCheck(message, *this, findings).run();
}

}  // namespace cannula::hl7v2
