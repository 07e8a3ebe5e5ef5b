#include "parsers/hl7v2/validation/findings.h"

#include <algorithm>
#include <unordered_map>

namespace cannula::hl7v2 {
namespace {

bool is_plain(std::string_view name) {
  return name.size() == 3 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

std::string group_text(Path path) {
  path.segment_index = 1;
  path.repetition = 0;
  return path.text();
}

}  // namespace

std::uint32_t Findings::number_of(SegmentId segment) {
  if (numbers_.empty()) {
    std::unordered_map<std::string_view, std::uint32_t> seen;
    for (std::size_t at = 0; at < message_.segment_count(); ++at) {
      const SegmentId id = message_.segment_at(at);
      if (id >= numbers_.size()) numbers_.resize(id + 1);
      numbers_[id] = ++seen[message_.name_of(id)];
    }
  }
  return segment < numbers_.size() ? numbers_[segment] : 1;
}

Path Findings::path_of(const Place& place) {
  Path path;
  const std::string_view name = message_.name_of(place.segment);
  if (is_plain(name)) std::copy(name.begin(), name.end(), path.segment);
  path.segment_index = number_of(place.segment);
  path.field = place.field;
  path.repetition = place.repetition == Place::kWholeField ? 0 : place.repetition;
  path.component = place.component;
  path.subcomponent = place.subcomponent;
  return path;
}

Finding* Findings::room_for(Severity severity) {
  const auto rank = static_cast<std::size_t>(severity);
  if (found_.size() < limit_) {
    ++kept_[rank];
    return &found_.emplace_back();
  }
  ++left_out_;
  for (std::size_t lesser = kept_.size() - 1; lesser > rank; --lesser) {
    if (kept_[lesser] == 0) continue;
    const auto last = std::find_if(found_.rbegin(), found_.rend(), [&](const Finding& each) {
      return static_cast<std::size_t>(each.severity) == lesser;
    });
    --kept_[lesser];
    ++kept_[rank];
    *last = Finding();
    return &*last;
  }
  return nullptr;
}

void Findings::add(const Kind& kind, const Place& place, std::string text) {
  add_finding(kind, place, std::move(text));
}

Finding* Findings::add_finding(const Kind& kind, const Place& place, std::string text) {
  Finding* const room = room_for(kind.severity);
  if (room == nullptr) return nullptr;
  Path path = path_of(place);
  if (path.repetition == 1 && message_.repetitions(Place{place.segment, place.field}) < 2) {
    path.repetition = 0;
  }
  Finding& finding = *room;
  finding.severity = kind.severity;
  finding.code = kind.code;
  if (path.segment_name().empty()) {  // a line that is no segment
    finding.path = fmt::format("segment {}", place.segment + 1);
    finding.group_path = "segment";
  } else {
    finding.path = path.text();
    finding.group_path = group_text(path);
  }
  finding.message = std::move(text);
  finding.condition = kind.condition;
  finding.place = place;
  return room;
}

void Findings::add_missing_segment(Kind kind, Severity severity, const Place& place,
                                   std::string_view name, std::string text) {
  kind.severity = severity;
  Finding* const added = add_finding(kind, place, std::move(text));
  if (added != nullptr) added->path = added->group_path = std::string(name);
}

std::vector<Finding> Findings::take() && {
  std::stable_sort(found_.begin(), found_.end(), [&](const Finding& a, const Finding& b) {
    return a.place.segment < b.place.segment;
  });
  if (left_out_ > 0) {
    Finding more;
    more.severity = kinds::kMore.severity;
    more.code = kinds::kMore.code;
    more.condition = kinds::kMore.condition;
    more.path = more.group_path = "MSH";
    more.message =
        fmt::format("there are {} more findings than the {} shown", left_out_, found_.size());
    found_.push_back(std::move(more));
  }
  return std::move(found_);
}

Diagnostic diagnostic_of(const Finding& finding, const Message& message) {
  Diagnostic diagnostic{
      finding.severity, std::string(finding.code), finding.message, nullptr, std::nullopt, {},
      finding.path};
  if (message.edited()) return diagnostic;
  std::string_view at = finding.place.field == 0 ? std::string_view() : message.raw(finding.place);
  if (at.empty()) at = message.name_of(finding.place.segment);
  const std::string& bytes = *message.received();
  if (at.data() >= bytes.data() && at.data() + at.size() <= bytes.data() + bytes.size()) {
    const auto begin = static_cast<std::size_t>(at.data() - bytes.data());
    diagnostic.span = Span{begin, begin + at.size()};
  }
  return diagnostic;
}

std::string error_location(const Finding& finding, const Message& message) {
  // The segment that is missing, and not the one at which it was missed.
  if (finding.code == kinds::kSegmentMissing.code && is_plain(finding.path)) {
    return finding.path + "^1";
  }
  const Place& place = finding.place;
  std::uint32_t number = 0;
  const std::string_view name = message.name_of(place.segment);
  for (std::size_t at = 0; at < message.segment_count(); ++at) {
    const SegmentId segment = message.segment_at(at);
    number += message.name_of(segment) == name;
    if (segment == place.segment) break;
  }
  std::string text = fmt::format("{}^{}", is_plain(name) ? name : "", number);
  if (place.field == 0) return text;
  text += fmt::format(
      "^{}^{}", place.field,
      place.repetition == 0 || place.repetition == Place::kWholeField ? 1 : place.repetition);
  if (place.component > 0) text += fmt::format("^{}", place.component);
  if (place.subcomponent > 0) text += fmt::format("^{}", place.subcomponent);
  return text;
}

}  // namespace cannula::hl7v2
