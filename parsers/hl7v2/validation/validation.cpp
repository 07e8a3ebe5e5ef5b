#include "parsers/hl7v2/validation/validation.h"

#include "parsers/hl7v2/validation/field_check.h"
#include "parsers/hl7v2/validation/findings.h"
#include "parsers/hl7v2/validation/profile.h"
#include "parsers/hl7v2/validation/site_segments.h"
#include "parsers/hl7v2/validation/structure_check.h"

namespace cannula::hl7v2 {
namespace {

Version version_for(const Message& message, const ValidationRules& rules, Findings& findings) {
  if (rules.version) return *rules.version;
  const Place place{0, 12, 1, 1};
  const auto named = version_of(message.raw(place));
  // An empty MSH-12 is reported as a field that is missing.
  if (!named && !message.raw(place).empty()) {
    findings.add(kinds::kUnknownVersion, place,
                 "MSH-12 names no version from 2.1 on; the message is looked at as 2.5.1");
  }
  return named.value_or(Version::v2_5_1);
}

const StructureDefinition* structure_for(const Message& message, const Dictionary& words) {
  const StructureDefinition* named = words.structure(message.raw(Place{0, 9, 1, 3}));
  if (named != nullptr) return named;
  return words.structure(message.raw(Place{0, 9, 1, 1}), message.raw(Place{0, 9, 1, 2}));
}

// The newest version that has the segment.
std::optional<Version> version_with(std::string_view segment) {
  for (std::size_t at = kVersions; at-- > 0;) {
    if (dictionary(static_cast<Version>(at)).segment(segment) != nullptr) {
      return static_cast<Version>(at);
    }
  }
  return std::nullopt;
}

void report_unknown_segment(const Message& message, SegmentId segment, Version version,
                            Findings& findings) {
  const std::string_view name = message.name_of(segment);
  if (name.starts_with('Z') && name.size() == 3) return;  // whose definition nobody gave
  if (const auto other = version_with(name)) {
    findings.add(kinds::kUnknownSegment, Severity::note, Place{segment},
                 fmt::format("{} is no segment of version {}; version {} has it", name,
                             name_of(version), name_of(*other)));
    return;
  }
  findings.add(kinds::kUnknownSegment, Place{segment},
               "no version has this segment; those of a site begin with Z");
}

}  // namespace

std::vector<Finding> validate(const Message& message, const ValidationRules& rules) {
  Findings findings(message, rules.limit);
  const Version version = version_for(message, rules, findings);
  const Dictionary& words = dictionary(version);
  if (const StructureDefinition* structure = structure_for(message, words)) {
    check_structure(message, words, *structure, findings);
  } else if (!message.type().empty()) {
    findings.add(kinds::kUnknownStructure, Place{0, 9},
                 fmt::format("version {} has no structure for this event: the order of segments "
                             "is not looked at",
                             name_of(version)));
  }
  FieldCheck fields(message, version, findings);
  for (std::size_t at = 0; at < message.segment_count(); ++at) {
    const SegmentId segment = message.segment_at(at);
    const std::string_view name = message.name_of(segment);
    const SegmentDefinition* definition =
        rules.site_segments == nullptr ? nullptr : rules.site_segments->segment(name);
    if (definition == nullptr) definition = words.segment(name);
    if (definition != nullptr) {
      fields.check_segment(segment, *definition);
    } else {
      report_unknown_segment(message, segment, version, findings);
    }
  }
  for (const Profile* profile : rules.profiles) profile->check(message, findings);
  return std::move(findings).take();
}

}  // namespace cannula::hl7v2
