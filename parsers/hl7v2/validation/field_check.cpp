#include "parsers/hl7v2/validation/field_check.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "parsers/hl7v2/validation/primitives.h"

namespace cannula::hl7v2 {
namespace {

// Tables of the type ID that grow by registration or with each version, so that no edition has all
// their codes: events and types, identifier types, universal id types.
constexpr std::array<std::string_view, 6> kGrowing = {"0003", "0076", "0203",
                                                      "0301", "0354", "0417"};
// Those that are kept outside of HL7 or hold every site's own: coding systems, countries,
// languages. 0125 is looked at with OBX-2.
constexpr std::array<std::string_view, 4> kOpen = {"0125", "0296", "0396", "0399"};

bool is_among(std::string_view table, std::span<const std::string_view> tables) {
  return std::find(tables.begin(), tables.end(), table) != tables.end();
}

// Tables that each site fills: a value of type IS comes from them, in 2.5.1, whatever type it had
// before.
bool is_user_defined(std::string_view table) {
  static const std::set<std::string_view> tables = [] {
    std::set<std::string_view> found;
    const auto add = [&](std::span<const PartDefinition* const> parts) {
      for (const PartDefinition* part : parts) {
        if (part->type == "IS" && !part->table.empty()) found.insert(part->table);
      }
    };
    const Dictionary& words = dictionary(Version::v2_5_1);
    for (const SegmentDefinition* segment : words.segments()) add(segment->fields);
    for (const TypeDefinition* type : words.data_types()) add(type->components);
    return found;
  }();
  return tables.contains(table);
}

// What older versions write for "as long as it likes" (OBX-5, ED.5).
constexpr std::uint32_t kUnlimited = 65536;

std::string called(const PartDefinition& part) {
  return part.name.empty() ? std::string("the value") : std::string(part.name);
}

// Characters of a text: UTF-8 by what begins one, everything else by its bytes.
std::size_t characters_in(std::string_view text) {
  const auto follows = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), follows));
}

bool is_short_word(std::string_view code) {
  return code.size() <= 12 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

void FieldCheck::check_segment(SegmentId segment, const SegmentDefinition& definition) {
  const std::uint32_t present = message_.fields(segment);
  const auto defined = static_cast<std::uint32_t>(definition.fields.size());
  const bool header =
      definition.name == "MSH" || definition.name == "FHS" || definition.name == "BHS";
  for (std::uint32_t number = header ? 3 : 1; number <= defined; ++number) {
    const Place field{segment, number};
    const PartDefinition& part = *definition.field(number);
    if (number <= present && !message_.raw(Place{segment, number, Place::kWholeField}).empty()) {
      check_field(field, part);
    } else if (part.usage == Usage::required) {
      findings_.add(kinds::kFieldMissing, field,
                    fmt::format("{} is required and empty", called(part)));
    }
  }
  for (std::uint32_t number = present; number > defined; --number) {
    if (message_.raw(Place{segment, number, Place::kWholeField}).empty()) continue;
    findings_.add(kinds::kBeyond, Place{segment, defined + 1},
                  fmt::format("{} has {} fields, {} in version {}", definition.name, number,
                              defined, name_of(version_)));
    break;
  }
  if (definition.name == "OBX") check_value_type(segment);
}

void FieldCheck::check_field(const Place& field, const PartDefinition& part) {
  if (part.usage == Usage::backward || part.usage == Usage::withdrawn) {
    findings_.add(kinds::kWithdrawn, field,
                  fmt::format("{} is kept for older receivers only in version {}", called(part),
                              name_of(version_)));
  }
  const std::uint32_t repetitions = message_.repetitions(field);
  if (part.repetitions > 0 && repetitions > part.repetitions) {
    Place first_extra = field;
    first_extra.repetition = part.repetitions + 1;
    findings_.add(kinds::kTooManyRepetitions, first_extra,
                  fmt::format("{} may come {}, and comes {} times", called(part),
                              part.repetitions == 1 ? std::string("once")
                                                    : fmt::format("{} times", part.repetitions),
                              repetitions));
  }
  for (std::uint32_t at = 1; at <= repetitions; ++at) {
    Place place = field;
    place.repetition = at;
    check_value(place, part);
  }
}

std::string_view FieldCheck::type_of(const Place& place, const PartDefinition& part) const {
  if (part.type != "VARIES") return part.type;
  return message_.name_of(place.segment) == "OBX" ? message_.raw(Place{place.segment, 2})
                                                  : std::string_view();
}

void FieldCheck::check_value(const Place& place, const PartDefinition& part) {
  if (message_.raw(place).empty() || message_.is_null(place)) return;
  const std::string_view name = type_of(place, part);
  const TypeDefinition* type = words_.data_type(name);
  if (type == nullptr) return;  // said at OBX-2
  if (type->components.empty() || place.subcomponent > 0) {
    check_leaf(place, part, name);
  } else {
    check_parts(place, part, *type);
  }
}

void FieldCheck::check_parts(const Place& place, const PartDefinition& part,
                             const TypeDefinition& type) {
  const bool is_field = place.component == 0;
  const auto defined = static_cast<std::uint32_t>(type.components.size());
  const std::uint32_t present = filled_parts(place);
  for (std::uint32_t at = 1; at <= defined; ++at) {
    Place inner = place;
    (is_field ? inner.component : inner.subcomponent) = at;
    const PartDefinition& component = *type.component(at);
    if (at <= present && !message_.raw(inner).empty()) {
      // The first part of TS is a text before 2.5.1, by several names, and has the form of DTM.
      if (type.name == "TS" && at == 1 && component.type == "ST") {
        if (!message_.is_null(inner)) check_leaf(inner, component, "DTM");
      } else {
        check_value(inner, component);
      }
    } else if (is_field && component.usage == Usage::required) {
      findings_.add(kinds::kComponentMissing, inner,
                    fmt::format("{} of {} is required and empty", called(component), type.name));
    }
  }
  if (present > defined) {
    findings_.add(kinds::kBeyond, place,
                  fmt::format("{} has {} components, {} as {} of version {}", called(part), present,
                              defined, type.name, name_of(version_)));
  }
}

// The number of the last component, or subcomponent, that is not empty. By one look at the text: a
// sender may write a million separators.
std::uint32_t FieldCheck::filled_parts(const Place& place) const {
  const Delimiters& delimiters = message_.delimiters();
  const char divides = place.component == 0 ? delimiters.component : delimiters.subcomponent;
  std::string_view text = message_.raw(place);
  while (divides != 0 && text.ends_with(divides)) text.remove_suffix(1);
  if (text.empty()) return 0;
  return divides == 0
             ? 1
             : static_cast<std::uint32_t>(std::count(text.begin(), text.end(), divides)) + 1;
}

void FieldCheck::check_leaf(const Place& place, const PartDefinition& part, std::string_view type) {
  const bool has_length = part.length > 0 && part.length < kUnlimited;
  if (!has_length && type != "ID" && !has_form(type)) return;  // documents of many megabytes
  const auto text = message_.get(place);
  if (!text || text->empty()) return;
  if (const std::string_view wrong = wrong_with(type, *text); !wrong.empty()) {
    findings_.add(kinds::kWrongType, place, fmt::format("{} {}", called(part), wrong));
  }
  if (type == "ID" && !check_code(place, part, *text)) return;  // too long as well, no doubt
  const std::size_t characters = has_length ? characters_in(*text) : 0;
  if (has_length && characters > part.length) {
    // Codes that a site makes itself are as long as it likes.
    const bool own = type == "IS" || is_user_defined(part.table);
    findings_.add(kinds::kTooLong, own ? Severity::note : kinds::kTooLong.severity, place,
                  fmt::format("{} has {} characters; version {} allows {}", called(part),
                              characters, name_of(version_), part.length));
  }
}

bool FieldCheck::check_code(const Place& place, const PartDefinition& part, std::string_view code) {
  if (part.table.empty() || is_among(part.table, kOpen) || is_user_defined(part.table)) return true;
  const TableDefinition* codes = table(part.table);
  if (codes == nullptr || codes->codes.empty() || codes->meaning(code)) return true;
  // Before 2.3 all codes were ID; behind 2.6 there are codes the tables do not have.
  const bool note =
      version_ < Version::v2_3 || version_ > Version::v2_6 || is_among(part.table, kGrowing);
  findings_.add(kinds::kUnknownCode, note ? Severity::note : Severity::error, place,
                fmt::format("{} is no code of table {} ({}) for {}",
                            is_short_word(code) ? fmt::format("`{}`", code) : "the value",
                            part.table, codes->text, called(part)));
  return false;
}

// OBX-2 tells how OBX-5 is read (7.4.2.2).
void FieldCheck::check_value_type(SegmentId obx) {
  const Place value{obx, 5, Place::kWholeField};
  const std::string_view type = message_.raw(Place{obx, 2});
  if (message_.raw(value).empty()) return;
  if (type.empty()) {
    findings_.add(kinds::kValueType, Place{obx, 2},
                  "OBX-2 is empty, and OBX-5 has a value: its data type is expected");
  } else if (words_.data_type(type) == nullptr) {
    findings_.add(kinds::kValueType, Place{obx, 2},
                  fmt::format("{} is no data type of version {}",
                              is_short_word(type) ? fmt::format("`{}`", type) : "the value",
                              name_of(version_)));
  }
}

}  // namespace cannula::hl7v2
