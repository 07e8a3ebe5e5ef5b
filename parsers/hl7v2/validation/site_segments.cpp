#include "parsers/hl7v2/validation/site_segments.h"

#include <fmt/format.h>

#include "parsers/hl7v2/path.h"
#include "parsers/hl7v2/validation/words.h"

namespace cannula::hl7v2 {
namespace {

constexpr std::uint32_t kMostFields = 1000;

// What stands between fields that are defined: of no known type, so that nothing is looked at.
constexpr PartDefinition kUndefined{"", "", 0, 0, Usage::optional, ""};

}  // namespace

std::string_view SiteSegments::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

void SiteSegments::read(const std::shared_ptr<const Source>& source,
                        std::vector<Diagnostic>& findings) {
  Segment* segment = nullptr;
  for (std::size_t line = 1; line <= source->line_count(); ++line) {
    Words words(source, line, findings);
    if (words.done()) continue;
    if (words.take("segment")) {
      segment = read_segment(words);
    } else if (segment == nullptr) {
      words.expected("`segment ZXX \"what it is for\"`");
    } else {
      read_field(words, *segment);
    }
  }
  for (auto& [name, each] : segments_) {
    each->definition = {each->name, each->text, each->fields};
  }
}

SiteSegments::Segment* SiteSegments::read_segment(Words& words) {
  const auto path = words.done() ? Result<Path>(Error{}) : Path::parse(words.next().text);
  if (!path || path->segment[0] != 'Z' || path->field != 0) {
    words.expected("the name of a segment that begins with Z");
    return nullptr;
  }
  auto segment = std::make_unique<Segment>();
  segment->name = path->segment_name();
  words.take();
  if (!words.done() && words.next().quoted) segment->text = words.take().text;
  if (!words.done()) words.expected("the end of the line");
  auto& slot = segments_[segment->name];
  slot = std::move(segment);
  return slot.get();
}

bool SiteSegments::read_field(Words& words, Segment& segment) {
  const std::string what =
      fmt::format("a field of {} with its number, such as {}-1", segment.name, segment.name);
  const auto path = Path::parse(words.next().text);
  if (!path || path->segment_name() != segment.name || path->field == 0 ||
      path->field > kMostFields || path->component != 0 || path->repetition != 0) {
    return words.expected(what);
  }
  words.take();
  PartDefinition part;
  if (words.done() || !words.next().quoted) return words.expected("the field's name in quotes");
  part.name = keep(words.take().text);
  if (words.done() || words.next().quoted ||
      (dictionary(Version::v2_5_1).data_type(words.next().text) == nullptr &&
       dictionary(Version::v2_8).data_type(words.next().text) == nullptr)) {
    return words.expected("a data type such as ST or CWE");
  }
  part.type = keep(words.take().text);
  while (!words.done()) {
    if (words.take("required")) {
      part.usage = Usage::required;
    } else if (words.take("length")) {
      if (!words.number(part.length, "a length")) return false;
    } else if (words.take("repeats")) {
      part.repetitions = 0;
    } else if (words.take("table")) {
      if (words.done() || table(words.next().text) == nullptr) {
        return words.expected("the number of a table of the standard");
      }
      part.table = table(words.take().text)->number;
    } else {
      return words.expected("`required`, `length`, `table` or `repeats`");
    }
  }
  if (segment.fields.size() < path->field) segment.fields.resize(path->field, &kUndefined);
  segment.fields[path->field - 1] = &parts_.emplace_back(part);
  return true;
}

const SegmentDefinition* SiteSegments::segment(std::string_view name) const {
  const auto at = segments_.find(name);
  return at == segments_.end() ? nullptr : &at->second->definition;
}

}  // namespace cannula::hl7v2
