// Reading and writing places: the part of Message that looks inside of fields.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/message_state.h"
#include "parsers/hl7v2/parts.h"
#include "parsers/hl7v2/types.h"

namespace cannula::hl7v2 {
namespace {

std::uint32_t count_parts(std::string_view text, char delimiter) {
  if (text.empty()) return 0;
  if (delimiter == 0) return 1;
  return static_cast<std::uint32_t>(std::count(text.begin(), text.end(), delimiter)) + 1;
}

// Whether a text is the same encoded and not, at every place.
bool is_plain(std::string_view text, const Delimiters& delimiters) {
  const char special[] = {'\r',
                          '\n',
                          delimiters.field,
                          delimiters.component,
                          delimiters.repetition,
                          delimiters.escape,
                          delimiters.subcomponent,
                          delimiters.truncation};
  for (; !text.empty(); text.remove_prefix(std::min(text.size(), ShortText::kLongest))) {
    const ShortText block(text.substr(0, ShortText::kLongest));
    std::uint64_t found = 0;
    for (const char each : special) found |= block.find(each);
    if (found != 0) return false;
  }
  return true;
}

// Escapes in encoded text what would divide at the level of the place or above it; lower delimiters
// and escapes stay.
std::string keep_inside(std::string_view encoded, const Place& place,
                        const Delimiters& delimiters) {
  std::string inside;
  inside.reserve(encoded.size());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const char c = encoded[i];
    const bool divides =
        c == '\r' || c == '\n' || c == delimiters.field ||
        (c == delimiters.repetition && c != 0 && place.repetition != Place::kWholeField) ||
        (c == delimiters.component && place.component != 0) ||
        (c == delimiters.subcomponent && c != 0 && place.subcomponent != 0);
    if (divides) {
      escape_to(inside, encoded.substr(i, 1), delimiters);
    } else {
      inside += c;
    }
  }
  return inside;
}

std::uint32_t or_first(std::uint32_t number) {
  return number == 0 ? 1 : number;
}

// The place with its repetition as a number, and its component where a subcomponent is named. Only
// a field can be meant with all its repetitions; a component is one of the first.
Place spelled_out(Place place) {
  const bool inside = place.component != 0 || place.subcomponent != 0;
  if (place.repetition == 0 || (inside && place.repetition == Place::kWholeField))
    place.repetition = 1;
  if (inside) place.component = or_first(place.component);
  return place;
}

// Where this thread came to in a long field. Who walks over its parts, a hundred thousand of them
// perhaps, goes on from there; from the field's begin each time, that would take a time that grows
// with the square of their number, which senders could use. A serial, a segment and a field name
// one text for good.
class Walk {
 public:
  // That of the field, from a few that are kept: whoever walks over two fields at once has both.
  static Walk& of(std::uint64_t serial, const Place& place) {
    constexpr std::size_t kKept = 4;
    thread_local std::array<Walk, kKept> walks;
    Walk& walk = walks[(place.segment + place.field) % kKept];
    if (walk.serial_ != serial || walk.segment_ != place.segment || walk.field_ != place.field) {
      walk = Walk();
      walk.serial_ = serial;
      walk.segment_ = place.segment;
      walk.field_ = place.field;
    }
    return walk;
  }

  // The part of the field's text that the place names, as find_part() gives it.
  std::string_view read(std::string_view text, const Delimiters& delimiters, const Place& place) {
    const std::array<std::pair<std::uint32_t, char>, kLevels> steps = {
        {{place.repetition, delimiters.repetition},
         {place.component, delimiters.component},
         {place.subcomponent, delimiters.subcomponent}}};
    Range within{0, text.size()};
    for (std::size_t level = 0; level < kLevels; ++level) {
      const auto [number, delimiter] = steps[level];
      if (number == 0) break;
      if (!go(level, text.substr(0, within.end), delimiter, within.begin, number)) {
        return text.substr(within.end, 0);
      }
      within = parts_[level].range;
    }
    return text.substr(within.begin, within.end - within.begin);
  }

 private:
  static constexpr std::size_t kLevels = 3;
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  struct At {
    std::uint32_t number = 0;  // 0: nowhere yet
    Range range;
  };

  static std::size_t end_of(std::string_view text, char delimiter, std::size_t from) {
    return delimiter == 0 ? text.size() : std::min(text.find(delimiter, from), text.size());
  }

  // To part `number` of what stands from `begin` to the end of `text`; false when there are fewer.
  bool go(std::size_t level, std::string_view text, char delimiter, std::size_t begin,
          std::uint32_t number) {
    At& at = parts_[level];
    if (at.number == number) return true;
    for (std::size_t below = level + 1; below < kLevels; ++below) parts_[below].number = 0;
    if (at.number == 0 || at.number > number) at = {1, {begin, end_of(text, delimiter, begin)}};
    while (at.number < number) {
      if (at.range.end == text.size()) return false;
      at.range.begin = at.range.end + 1;
      at.range.end = end_of(text, delimiter, at.range.begin);
      ++at.number;
    }
    return true;
  }

  std::uint64_t serial_ = 0;
  SegmentId segment_ = 0;
  std::uint32_t field_ = 0;
  std::array<At, kLevels> parts_{};
};

constexpr std::size_t kLongField = 4096;  // bytes; shorter ones are read faster without

}  // namespace

std::string_view Message::text_at(SegmentId segment, std::uint32_t number) const {
  if (edits_) {
    if (segment >= edits_->slots.size()) return {};
    const std::uint32_t slot = edits_->slots[segment];
    if (slot == Edits::kRemoved) return {};
    if (slot != Edits::kUnedited) {
      if (const EditedText* text = edits_->segments[slot].find(number)) return text->text;
    }
  }
  const Tables& tables = received_->tables;
  if (segment >= tables.size() || number > tables.separators(segment)) return {};
  return received_->text(tables.text_begin(segment, number), tables.text_end(segment, number));
}

// MSH-1 is the field separator itself, so that the fields of MSH (FHS, BHS) count one more than its
// separators.
bool Message::is_header(SegmentId segment) const {
  return segment == 0 || (key_of(segment) == name_key("MSH") && exists(segment));
}

std::string_view Message::field_text(SegmentId segment, std::uint32_t field, bool header) const {
  if (field == 0) return {};
  if (!header) return text_at(segment, field);
  if (field > 1) return text_at(segment, field - 1);
  return {&received_->delimiters.field, 1};
}

std::uint32_t Message::fields(SegmentId segment) const {
  if (!exists(segment)) return 0;
  const EditedSegment* edited = edited_segment(segment);
  const std::uint32_t separators =
      edited ? edited->separators : received_->tables.separators(segment);
  return separators + (is_header(segment) ? 1 : 0);
}

std::uint32_t Message::repetitions(const Place& place) const {
  const bool header = is_header(place.segment);
  const std::string_view text = field_text(place.segment, place.field, header);
  if (place.field <= 2 && header) return text.empty() ? 0 : 1;
  return count_parts(text, received_->delimiters.repetition);
}

std::uint32_t Message::components(const Place& place) const {
  const std::string_view text =
      raw(Place{place.segment, place.field, or_first(place.repetition), 0, 0});
  if (place.field <= 2 && is_header(place.segment)) return text.empty() ? 0 : 1;
  return count_parts(text, received_->delimiters.component);
}

std::uint32_t Message::subcomponents(const Place& place) const {
  const std::string_view text = raw(
      Place{place.segment, place.field, or_first(place.repetition), or_first(place.component), 0});
  if (place.field <= 2 && is_header(place.segment)) return text.empty() ? 0 : 1;
  return count_parts(text, received_->delimiters.subcomponent);
}

// -- Reading ------------------------------------------------------------------------------------

std::string_view Message::raw(const Place& written) const {
  const Place place = spelled_out(written);
  const bool header = is_header(place.segment);
  const std::string_view text = field_text(place.segment, place.field, header);
  if (header && place.field <= 2) {
    const bool whole = (place.repetition <= 1 || place.repetition == Place::kWholeField) &&
                       place.component <= 1 && place.subcomponent <= 1;
    return whole ? text : std::string_view();
  }
  if (text.empty()) return text;
  if (text.size() >= kLongField && place.repetition != Place::kWholeField) {
    const std::uint64_t serial = edits_ ? edits_->serial : received_->serial;
    return Walk::of(serial, place).read(text, received_->delimiters, place);
  }
  const Part part = find_part(text, received_->delimiters, place);
  return {text.data() + part.begin, part.end - part.begin};
}

bool Message::is_composite(const Place& written, std::string_view text) const {
  const Place place = spelled_out(written);
  if (place.subcomponent != 0) return false;
  const Delimiters& delimiters = received_->delimiters;
  if (place.repetition == Place::kWholeField && holds(text, delimiters.repetition)) return true;
  const std::string_view name = name_of(place.segment);
  const std::string_view value_type =
      name == "OBX" && place.field == 5 ? raw(Place{place.segment, 2}) : "";
  switch (shape_of(name, place.field, place.component, value_type)) {
    case Shape::leaf:
      return false;
    case Shape::composite:
      return true;
    case Shape::unknown:
      break;
  }
  return holds(text, delimiters.subcomponent) ||
         (place.component == 0 && holds(text, delimiters.component));
}

bool Message::is_composite(const Place& place) const {
  return is_composite(place, raw(place));
}

std::string_view Message::text(const Place& place, std::string& space) const {
  return text(place, raw(place), space);
}

std::string_view Message::text(const Place& place, std::string_view text,
                               std::string& space) const {
  // Without an escape character a leaf and a composite read the same.
  if (text.empty() || !holds(text, received_->delimiters.escape)) return text;
  if ((place.field == 2 && is_header(place.segment)) || is_composite(place, text)) return text;
  space = unescape(text, received_->delimiters);
  return space;
}

std::optional<std::string> Message::get(const Place& place) const {
  const std::string_view encoded = raw(place);
  if (encoded.empty()) return std::nullopt;
  std::string space;
  return std::optional<std::string>(std::in_place, text(place, encoded, space));
}

bool Message::is_null(const Place& place) const {
  return raw(place) == "\"\"";
}

// -- Writing ------------------------------------------------------------------------------------

Result<void> Message::set(const Place& place, std::optional<std::string_view> text) {
  const std::string_view wanted = text.value_or("");
  const Delimiters& delimiters = received_->delimiters;
  const bool plain = is_plain(wanted, delimiters);
  const Place at = spelled_out(place);
  std::string space;
  // Nearly always a plain text goes into a segment that is there, and its field is looked at once.
  if (plain && at.field != 0 && at.repetition <= 1 && at.subcomponent <= 1 && exists(at.segment) &&
      !is_header(at.segment)) {
    const std::string_view field = text_at(at.segment, at.field);
    const Part part = find_part(field, delimiters, at);
    const std::string_view standing = field.substr(part.begin, part.end - part.begin);
    if (this->text(at, standing, space) == wanted) return {};
    if (standing != wanted) edit(at.segment).put(at.field, field, part, delimiters, wanted);
    return {};
  }
  if (this->text(place, space) == wanted && place.field != 0 && exists(place.segment)) return {};
  if (plain) return write(place, wanted);
  if (is_composite(place, wanted)) return set_raw(place, wanted);
  return write(place, escape(wanted, delimiters));
}

Result<void> Message::set_raw(const Place& place, std::string_view encoded) {
  if (raw(place) == encoded && place.field != 0 && exists(place.segment)) return {};
  return write(place, keep_inside(encoded, spelled_out(place), received_->delimiters));
}

Result<void> Message::write(const Place& written, std::string_view encoded) {
  const Place place = spelled_out(written);
  if (!exists(place.segment)) return removed_segment();
  const bool header = is_header(place.segment);
  if (place.field == 0) {
    return Error{"H301", fmt::format("cannot write to {} as a whole", path_of(place).text()),
                 "name a field, or add a segment", std::nullopt};
  }
  if (header && place.field <= 2) {
    if (raw(place) == encoded) return {};
    return Error{
        "H301",
        fmt::format("MSH-{} cannot be changed: it says how the message is divided", place.field),
        "leave the delimiters as they were received", std::nullopt};
  }
  if (raw(place) == encoded) return {};

  const Delimiters& delimiters = received_->delimiters;
  const bool whole = place.repetition == Place::kWholeField;
  if ((place.repetition > 1 && !whole && delimiters.repetition == 0) ||
      (place.subcomponent > 1 && delimiters.subcomponent == 0)) {
    return Error{
        "H305",
        fmt::format("cannot write {}: MSH-2 names no delimiter for it", path_of(place).text()),
        "the message can hold one repetition or subcomponent only", std::nullopt};
  }
  put(Place{place.segment, header ? place.field - 1 : place.field, place.repetition,
            place.component, place.subcomponent},
      encoded);
  return {};
}

// Writes into text n of a segment, n in the place of the field.
void Message::put(const Place& place, std::string_view encoded) {
  const std::string_view field = text_at(place.segment, place.field);
  const Part part = find_part(field, received_->delimiters, place);
  edit(place.segment).put(place.field, field, part, received_->delimiters, encoded);
}

void EditedSegment::put(std::uint32_t number, std::string_view text, const Part& part,
                        const Delimiters& delimiters, std::string_view encoded) {
  if (EditedText* edited = find(number); edited != nullptr && part.is_there()) {
    edited->text.replace(part.begin, part.end - part.begin, encoded);
    return;
  }
  constexpr std::size_t kRoom = 64;
  std::string made;
  made.reserve(std::max(kRoom, text.size() + part.repetitions + part.components +
                                   part.subcomponents + encoded.size()));
  made += text.substr(0, part.begin);
  made.append(part.repetitions, delimiters.repetition);
  made.append(part.components, delimiters.component);
  made.append(part.subcomponents, delimiters.subcomponent);
  made += encoded;
  made += text.substr(part.end);
  put(number, std::move(made));
}

// -- Paths --------------------------------------------------------------------------------------

std::optional<Place> Message::locate(const Path& path, std::optional<SegmentId> base) const {
  std::optional<SegmentId> segment = base;
  if (!path.segment_name().empty()) {
    segment = find(path.segment_name(), path.segment_index == Path::kAll ? 1 : path.segment_index);
  }
  if (!segment || !exists(*segment)) return std::nullopt;
  const std::uint32_t repetition = path.repetition == Path::kAll ? 1 : path.repetition;
  return Place{*segment, path.field, repetition, path.component, path.subcomponent};
}

std::vector<Place> Message::locate_all(const Path& path, std::optional<SegmentId> base) const {
  std::vector<SegmentId> segments;
  if (!path.segment_name().empty() && path.segment_index == Path::kAll) {
    segments = each(path.segment_name());
  } else if (const auto place = locate(path, base)) {
    segments.push_back(place->segment);
  }
  std::vector<Place> places;
  for (SegmentId segment : segments) {
    Place place{segment, path.field, path.repetition, path.component, path.subcomponent};
    if (path.repetition != Path::kAll) {
      places.push_back(place);
      continue;
    }
    const std::uint32_t count = repetitions(place);
    for (place.repetition = 1; place.repetition <= count; ++place.repetition)
      places.push_back(place);
  }
  return places;
}

Path Message::path_of(const Place& place) const {
  Path path;
  const std::string_view name = name_of(place.segment);
  for (std::size_t i = 0; i < 3 && i < name.size(); ++i) path.segment[i] = name[i];
  std::uint32_t nth = 0;
  const std::size_t count = segment_count();
  for (std::size_t position = 0; position < count; ++position) {
    const SegmentId segment = segment_at(position);
    if (name_of(segment) == name) ++nth;
    if (segment == place.segment) break;
  }
  path.segment_index = std::max(nth, 1U);
  path.field = place.field;
  path.repetition = place.repetition == Place::kWholeField ? Path::kAll : place.repetition;
  path.component = place.component;
  path.subcomponent = place.subcomponent;
  return path;
}

std::optional<std::string> Message::get(const Path& path) const {
  if (path.segment_index != Path::kAll && path.repetition != Path::kAll) {
    const auto place = locate(path);
    return place ? get(*place) : std::nullopt;
  }
  for (const Place& place : locate_all(path)) {
    if (auto text = get(place)) return text;
  }
  return std::nullopt;
}

std::vector<std::string> Message::get_all(const Path& path) const {
  std::vector<std::string> texts;
  for (const Place& place : locate_all(path)) {
    if (auto text = get(place)) texts.push_back(*std::move(text));
  }
  return texts;
}

std::string_view Message::raw(const Path& path) const {
  if (path.segment_index != Path::kAll && path.repetition != Path::kAll) {
    const auto place = locate(path);
    return place ? raw(*place) : std::string_view();
  }
  for (const Place& place : locate_all(path)) {
    if (const std::string_view text = raw(place); !text.empty()) return text;
  }
  return {};
}

bool Message::is_null(const Path& path) const {
  return raw(path) == "\"\"";
}

Result<void> Message::set(const Path& path, std::optional<std::string_view> text) {
  if (path.segment_name().empty()) {
    return Error{"H301", fmt::format("the path {} names no segment", path.text()),
                 "write it with its segment, as in PID-3.1", std::nullopt};
  }
  if (path.segment_index == Path::kAll || path.repetition == Path::kAll) {
    const std::string kept(
        text.value_or(""));  // the caller's view may lead into what is written first
    for (const Place& place : locate_all(path)) TRY(set(place, kept));
    return {};
  }
  if (const auto place = locate(path)) return set(*place, text);
  if (text.value_or("").empty()) return {};
  const std::size_t there = count(path.segment_name());
  if (path.segment_index != there + 1) {
    return Error{
        "H304",
        fmt::format("cannot write {}: the message has {} {} segments", path.text(), there,
                    path.segment_name()),
        fmt::format("the next one to be written is {}[{}]", path.segment_name(), there + 1),
        std::nullopt};
  }
  const SegmentId added = TRY(add_segment(path.segment_name()));
  return set(Place{added, path.field, path.repetition, path.component, path.subcomponent}, text);
}

}  // namespace cannula::hl7v2
