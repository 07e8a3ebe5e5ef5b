#include "engine/cli/dictionary_names.h"

namespace cannula::cli {
namespace {

using hl7v2::PartDefinition;
using hl7v2::SegmentDefinition;
using hl7v2::TypeDefinition;
using hl7v2::Version;

}  // namespace

DictionaryNames::DictionaryNames(std::string_view msh12)
    : words_(hl7v2::dictionary(hl7v2::version_of(msh12).value_or(Version::v2_5_1))) {}

const SegmentDefinition* DictionaryNames::definition(std::string_view name) const {
  if (const SegmentDefinition* known = words_.segment(name)) return known;
  return hl7v2::dictionary(Version::v2_8).segment(name);
}

std::string_view DictionaryNames::segment(std::string_view name) const {
  const SegmentDefinition* known = definition(name);
  return known == nullptr ? std::string_view() : known->text;
}

DictionaryNames::Place DictionaryNames::find(const hl7v2::Path& path,
                                             std::string_view value_type) const {
  Place place;
  const SegmentDefinition* segment = definition(path.segment_name());
  if (segment != nullptr) place.field = segment->field(path.field);
  if (place.field == nullptr || path.component == 0) return place;
  const TypeDefinition* type =
      words_.data_type(place.field->type == "VARIES" ? value_type : place.field->type);
  if (type != nullptr) place.component = type->component(path.component);
  if (place.component == nullptr || path.subcomponent == 0) return place;
  const TypeDefinition* inner = words_.data_type(place.component->type);
  if (inner != nullptr) place.subcomponent = inner->component(path.subcomponent);
  return place;
}

std::string DictionaryNames::value(const hl7v2::Path& path, std::string_view value_type) const {
  const Place place = find(path, value_type);
  std::string text;
  for (const PartDefinition* part : {place.field, place.component, place.subcomponent}) {
    if (part == nullptr) break;
    if (!text.empty()) text += ", ";
    text += part->name;
  }
  return text;
}

std::optional<std::string_view> DictionaryNames::meaning(const hl7v2::Path& path,
                                                         std::string_view value_type,
                                                         std::string_view code) const {
  const Place place = find(path, value_type);
  const PartDefinition* part = place.subcomponent ? place.subcomponent
                               : place.component  ? place.component
                                                  : place.field;
  if (part == nullptr) return std::nullopt;
  // The codes of a coded field are those of its first component.
  if (path.component == 1 && path.subcomponent == 0 && part->table.empty()) part = place.field;
  if (part->table.empty()) return std::nullopt;
  const hl7v2::TableDefinition* codes = hl7v2::table(part->table);
  return codes == nullptr ? std::nullopt : codes->meaning(code);
}

}  // namespace cannula::cli
