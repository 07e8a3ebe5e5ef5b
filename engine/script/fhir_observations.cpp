// What an OBX says, in FHIR's words: its value, its reference range, its quantities; and the search
// that finds a resource by an identifier.
#include "engine/script/fhir_observations.h"

#include <array>
#include <string>
#include <vector>

#include "engine/script/fhir_converters.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "parsers/fhir/v2_values.h"
#include "parsers/hl7v2/values.h"
#include "rules/units/unit.h"

namespace cannula::script {

namespace {

using hl7v2::Encoded;
using hl7v2::Message;
using hl7v2::Place;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Only what FHIR can say: "=" is what no comparator means, and "<>" has no counterpart.
bool is_comparator(std::string_view text) {
  return text == "<" || text == "<=" || text == ">" || text == ">=";
}

// "<5", ">= 100", "7.1"
struct Compared {
  std::string_view comparator;
  std::string number;
};

std::optional<Compared> compared(std::string_view text) {
  text = trimmed(text);
  const std::size_t size = text.find_first_not_of("<>=");
  if (size == std::string_view::npos) return std::nullopt;
  Compared found{text.substr(0, size), {}};
  if (size != 0 && !is_comparator(found.comparator)) return std::nullopt;
  auto number = fhir::number_of(text.substr(size));
  if (!number) return std::nullopt;
  found.number = *std::move(number);
  return found;
}

// "3.5-5.1", "-2 - 2"
std::optional<std::pair<std::string, std::string>> limits(std::string_view text) {
  text = trimmed(text);
  const std::size_t dash = text.find('-', 1);
  if (text.empty() || dash == std::string_view::npos) return std::nullopt;
  auto low = fhir::number_of(text.substr(0, dash));
  if (!low) return std::nullopt;
  auto high = fhir::number_of(text.substr(dash + 1));
  if (!high) return std::nullopt;
  return std::pair(*std::move(low), *std::move(high));
}

// -- Values of OBX-5

int push_value(lua_State* L, const char* name) {  // of the table below it; nothing doubtful
  lua_setfield(L, -2, name);
  return 1;
}

int push_text_value(lua_State* L, std::string_view text) {
  push(L, text);
  return push_value(L, "valueString");
}

std::string in_words(const hl7v2::Sn& sn) {
  return sn.comparator + sn.first + sn.separator + sn.second;
}

// SN (2.A.71) as Quantity, Range or Ratio; what FHIR has no such value for as text.
int push_structured(lua_State* L, const hl7v2::Sn& sn, const Unit& unit) {
  const auto first = fhir::number_of(sn.first);
  const auto second = fhir::number_of(sn.second);
  const std::string_view comparator = sn.comparator == "=" ? "" : std::string_view(sn.comparator);
  const bool known = comparator.empty() || is_comparator(comparator);
  if (first && known && sn.separator.empty() && sn.second.empty()) {
    push_quantity(L, *first, comparator, unit);
    return push_value(L, "valueQuantity");
  }
  if (first && second && comparator.empty() && sn.separator == "-") {
    lua_createtable(L, 0, 2);
    push_quantity(L, *first, "", unit);
    lua_setfield(L, -2, "low");
    push_quantity(L, *second, "", unit);
    lua_setfield(L, -2, "high");
    return push_value(L, "valueRange");
  }
  if (first && second && known && (sn.separator == ":" || sn.separator == "/")) {
    lua_createtable(L, 0, 2);
    push_quantity(L, *first, comparator, {});
    lua_setfield(L, -2, "numerator");
    push_quantity(L, *second, "", {});
    lua_setfield(L, -2, "denominator");
    return push_value(L, "valueRatio");
  }
  const std::string text = in_words(sn);
  return text.empty() ? 1 : push_text_value(L, text);
}

bool is_coded(std::string_view type) {
  return type == "CE" || type == "CWE" || type == "CNE" || type == "CF";
}

bool is_moment(std::string_view type) {
  return type == "DT" || type == "TS" || type == "DTM";
}

// All repetitions as lines, formatting carried out.
std::string lines_of(lua_State* L, const Message& message, Place field) {
  const std::uint32_t count = message.repetitions(field);
  std::string lines;
  for (field.repetition = 1; field.repetition <= count; ++field.repetition) {
    const std::string_view raw = message.raw(field);
    Machine::of(L).work(L, 1 + raw.size() / 4);
    if (field.repetition > 1) lines += '\n';
    lines += hl7v2::formatted(raw, message.delimiters());
  }
  return lines;
}

// The repetitions in which something stands.
std::vector<Encoded> filled_repetitions(lua_State* L, const Message& message, Place field) {
  std::vector<Encoded> filled;
  const std::uint32_t count = message.repetitions(field);
  for (field.repetition = 1; field.repetition <= count; ++field.repetition) {
    const std::string_view raw = trimmed(message.raw(field));
    Machine::of(L).work(L, 1);
    if (!raw.empty() && raw != "\"\"") filled.push_back(hl7v2::encoded_at(message, field));
  }
  return filled;
}

// Several numbers or codes: an Observation has one value, so that they are text, and doubtful.
int push_several(lua_State* L, const std::vector<Encoded>& values, const std::string& type,
                 const Unit& unit) {
  std::string lines;
  for (const Encoded& each : values) {
    Machine::of(L).work(L, 4 + each.text.size() / 4);
    std::string line;
    if (is_coded(type)) {
      line = concept_in_words(each);
    } else if (type == "SN") {
      line = in_words(hl7v2::read<hl7v2::Sn>(each));
    } else {
      line = hl7v2::formatted(each.text, each.delimiters);
    }
    if (line.empty()) continue;
    if (!lines.empty()) lines += '\n';
    lines += line;
    if (!unit.shown.empty() && !is_coded(type)) lines += " " + unit.shown;
  }
  push_text_value(L, lines);
  push(L, "OBX-5 has " + std::to_string(values.size()) + " values of type " + type +
              ", and an Observation can have one: they are given as text");
  return 2;
}

int value(lua_State* L) {
  const auto& obx = checked_object<PlaceObject>(L, 1, Object::Kind::segment);
  lua_createtable(L, 0, 1);
  if (!obx.present) return 1;
  const Message& message = obx.box->read();
  Place field{obx.place.segment, 5, 0, 0, 0};
  const bool repeats = message.repetitions(field) > 1;
  if (!repeats && (message.raw(field).empty() || message.is_null(field))) return 1;
  const std::string type = message.get(Place{field.segment, 2, 1, 0, 0}).value_or("");
  const Unit& unit =
      LuaRuntime::of(L).units().find(hl7v2::encoded_at(message, {field.segment, 6, 1, 0, 0}));
  std::string text;
  if (type == "SN" || type == "NM" || is_coded(type) || is_moment(type)) {
    const std::vector<Encoded> values = filled_repetitions(L, message, field);
    if (values.empty()) return 1;
    if (values.size() > 1) return push_several(L, values, type, unit);
    if (type == "SN") return push_structured(L, hl7v2::read<hl7v2::Sn>(values.front()), unit);
    if (is_coded(type)) {
      return push_concept(L, values.front()) ? push_value(L, "valueCodeableConcept") : 1;
    }
    text = hl7v2::formatted(values.front().text, values.front().delimiters);
  } else {
    text = lines_of(L, message, field);
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return 1;
  if (is_moment(type)) {
    const auto moment = to_date_time(L, text, &message);
    if (!moment) return push_text_value(L, text);
    push(L, *moment);
    return push_value(L, "valueDateTime");
  }
  // Numbers come as NM, and with a unit also as text or with an OBX-2 that is missing or unknown.
  if (type == "NM" || !unit.shown.empty()) {
    if (const auto number = compared(text)) {
      push_quantity(L, number->number, number->comparator, unit);
      return push_value(L, "valueQuantity");
    }
  }
  push_text_value(L, text);
  if (type != "NM") return 1;
  push(L, "'" + text.substr(0, 200) + "' is sent as a number and is none");
  return 2;
}

// -- OBX-7

const Unit& unit_argument(lua_State* L, int index) {
  static const hl7v2::Delimiters kUsual;
  UnitCache& units = LuaRuntime::of(L).units();
  const Object* object = object_at(L, index);
  if (object == nullptr || object->kind != Object::Kind::node) {
    return units.find({text_value(L, index, "the unit").value_or(""), kUsual});
  }
  const auto& node = checked_object<PlaceObject>(L, index, Object::Kind::node);
  return units.find(node.present ? hl7v2::encoded_at(node.box->read(), node.place)
                                 : Encoded{"", kUsual});
}

int range(lua_State* L) {
  std::string space;
  std::string_view text;
  const Object* object = object_at(L, 1);
  if (object != nullptr && object->kind == Object::Kind::node) {
    const auto& node = checked_object<PlaceObject>(L, 1, Object::Kind::node);
    if (node.present && !node.box->read().is_null(node.place)) {
      text = node.box->read().text(node.place, space);
    }
  } else {
    text = text_value(L, 1, "fhir.range").value_or("");
  }
  push_range(L, text, [L]() -> const Unit& { return unit_argument(L, 2); });
  return 1;
}

// -- OBX-8

void interpret(std::string_view code, const EachInterpretation& each) {
  const std::string_view kept = trimmed(code);
  if (kept.empty() || code == "\"\"") return;
  const std::string_view name = fhir::interpretation_of(code);
  each(name.empty() ? code : kept, name);
}

// What FHIR has no code for as text.
void push_interpretation(lua_State* L, std::string_view code, std::string_view name) {
  lua_createtable(L, 0, 1);
  if (name.empty()) {
    push(L, code);
    return lua_setfield(L, -2, "text");
  }
  lua_createtable(L, 1, 0);
  lua_createtable(L, 0, 3);
  push(L, kInterpretationSystem);
  lua_setfield(L, -2, "system");
  push(L, code);
  lua_setfield(L, -2, "code");
  push(L, name);
  lua_setfield(L, -2, "display");
  lua_rawseti(L, -2, 1);
  lua_setfield(L, -2, "coding");
}

// Into the list on top of the stack; a nil there becomes one.
EachInterpretation append_interpretation(lua_State* L) {
  return [L](std::string_view code, std::string_view name) {
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_createtable(L, 1, 0);
    }
    push_interpretation(L, code, name);
    lua_rawseti(L, -2, static_cast<lua_Integer>(lua_rawlen(L, -2)) + 1);
  };
}

int interpretation(lua_State* L) {
  const Object* object = object_at(L, 1);
  if (object == nullptr || object->kind != Object::Kind::node) {
    lua_pushnil(L);
    interpret(text_value(L, 1, "fhir.interpretation").value_or(""), append_interpretation(L));
    return 1;
  }
  const auto& node = checked_object<PlaceObject>(L, 1, Object::Kind::node);
  if (node.present) {
    push_interpretations(L, node.box->read(), node.place);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

// -- Searches

// Unreserved in URLs (RFC 3986, 2.3).
constexpr auto kUnreserved = [] {
  std::array<bool, 256> all{};
  for (unsigned byte = '0'; byte <= '9'; ++byte) all[byte] = true;
  for (unsigned byte = 'A'; byte <= 'Z'; ++byte) all[byte] = all[byte + 'a' - 'A'] = true;
  for (const char byte : {'-', '.', '_', '~'}) all[static_cast<unsigned char>(byte)] = true;
  return all;
}();
bool is_unreserved(char byte) {
  return kUnreserved[static_cast<unsigned char>(byte)];
}

void append_percent_encoded(std::string& out, char byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto number = static_cast<unsigned char>(byte);
  out += '%';
  out += kDigits[number >> 4];
  out += kDigits[number & 15];
}

// A comma would ask for either of two; $ and | divide as well (R4, search.html, 3.1.1.5.7). Of
// `plain` a query needs nothing encoded.
void append_search_text(std::string& out, std::string_view text, std::string_view plain) {
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char byte = text[at];
    if (is_unreserved(byte) || plain.find(byte) != std::string_view::npos) continue;
    out += text.substr(copied, at - copied);
    copied = at + 1;
    if (byte == ',' || byte == '|' || byte == '$' || byte == '\\') out += "%5C";
    append_percent_encoded(out, byte);
  }
  out += text.substr(copied);
}

int by_identifier(lua_State* L) {
  const auto system = text_value(L, 1, "the system of fhir.by_identifier").value_or("");
  const auto number = text_value(L, 2, "the value of fhir.by_identifier").value_or("");
  if (number.empty()) {
    throw ScriptError(
        "L240",
        "fhir.by_identifier has no value to search for: nothing would be meant by it, "
        "and everything found");
  }
  std::string query = "identifier=";
  query.reserve(query.size() + system.size() + number.size() + 8);
  append_search_text(query, system, ":/");
  query += '|';
  append_search_text(query, number, "");
  push(L, query);
  return 1;
}

constexpr Binding kBindings[] = {
    {"value", "(obx: Segment): table, string?",
     "OBX-5 as an Observation's value[x], by OBX-2 and OBX-6: `{ valueQuantity = … }`, or "
     "`valueCodeableConcept`, `valueRange`, `valueRatio`, `valueDateTime`, `valueString`; `{}` "
     "where nothing stands. A number has its digits as sent. Repetitions of text are its lines. "
     "Several codes or numbers (two organisms in one CWE) are lines of `valueString` as well, "
     "since "
     "an Observation has one value: texts, or codes in brackets where there is no text, and "
     "numbers with their unit. And in words what is doubtful, which belongs before a person: an NM "
     "that is no number, several values where there can be one. Copied into an Observation, "
     "whatever it is: "
     "`local value, doubt = fhir.value(obx)`, then `for name, part in pairs(value) do "
     "elements[name] = part end` and `fhir.Observation(elements)`.",
     &guarded<value>},
    {"range", "(text: string|Node|nil, unit?: string|Node): table?",
     "OBX-7 as Observation.referenceRange: `3.5-5.1`, `<5` and `>=60` with their limits, anything "
     "else as text alone.",
     &guarded<range>},
    {"interpretation", "(node: Node|string|nil): table[]?",
     "OBX-8, table 0078, as Observation.interpretation: a concept for each repetition, what FHIR "
     "has no code for as text.",
     &guarded<interpretation>},
    {"by_identifier", "(system: string, value: string): string",
     "`identifier=system|value`, the search that finds a resource by its identifier, with all that "
     "URLs and searches of FHIR need escaped.",
     &guarded<by_identifier>},
};

}  // namespace

std::optional<RangeText> range_of(std::string_view text) {
  if (trimmed(text).empty() || text == "\"\"") return std::nullopt;
  RangeText found;
  if (auto both = limits(text)) {
    found.low = std::move(both->first);
    found.high = std::move(both->second);
  } else if (auto one = compared(text); one && !one->comparator.empty()) {
    (one->comparator[0] == '<' ? found.high : found.low) = std::move(one->number);
  }
  return found;
}

void push_range(lua_State* L, std::string_view text,
                const std::function<const Unit&()>& unit_where_needed) {
  const auto found = range_of(text);
  if (!found) return lua_pushnil(L);
  Machine::of(L).work(L, text.size() / 4);
  lua_createtable(L, 0, 3);
  push(L, text);
  lua_setfield(L, -2, "text");
  if (found->low.empty() && found->high.empty()) return;
  const Unit& unit = unit_where_needed();
  for (const auto& [name, limit] : {std::pair("low", &found->low), {"high", &found->high}}) {
    if (limit->empty()) continue;
    push_quantity(L, *limit, "", unit);
    lua_setfield(L, -2, name);
  }
}

void push_interpretations(lua_State* L, const Message& message, const Place& place) {
  lua_pushnil(L);
  interpretations(L, message, place, append_interpretation(L));
}

void interpretations(lua_State* L, const Message& message, Place place,
                     const EachInterpretation& each) {
  const bool whole = place.repetition == 0;
  const std::uint32_t last = whole ? message.repetitions(place) : place.repetition;
  std::string space;
  for (place.repetition = whole ? 1 : last; place.repetition <= last; ++place.repetition) {
    Machine::of(L).work(L, 4);
    // CWE since 2.7, IS before: the code is the first component of either.
    Place code = place;
    if (code.component == 0) code.component = 1;
    interpret(message.text(code, space), each);
  }
}

Unit unit_of(const Encoded& encoded) {
  Unit unit;
  if (encoded.text.empty() || encoded.text == "\"\"") return unit;
  const auto part = [&](std::uint32_t number) {
    const std::string_view raw = hl7v2::part_of(encoded.text, encoded.delimiters.component, number);
    return raw == "\"\"" ? std::string() : hl7v2::unescape(raw, encoded.delimiters);
  };
  std::string code = part(1);
  if (part(3) == "UCUM") {
    // A claim, and often one of a feed that writes MG/dL: megagauss by decilitre.
    if (units::Unit::is_clinical(code)) unit.code = code;
    unit.shown = part(4);
  } else if (auto ucum = units::Unit::ucum_of(code)) {
    unit.code = *std::move(ucum);
  }
  if (unit.shown.empty()) unit.shown = part(2);
  if (unit.shown.empty()) unit.shown = std::move(code);
  return unit;
}

const Unit& UnitCache::find(const Encoded& encoded) {
  const auto found = encoded.delimiters == delimiters_ ? units_.find(encoded.text) : units_.end();
  if (found != units_.end()) return found->second;
  if (encoded.text.size() > kLongest) return uncached_ = unit_of(encoded);
  if (encoded.delimiters != delimiters_ || units_.size() == kMost) units_.clear();
  delimiters_ = encoded.delimiters;
  return units_.emplace(encoded.text, unit_of(encoded)).first->second;
}

void push_quantity(lua_State* L, std::string_view number, std::string_view comparator,
                   const Unit& unit) {
  const auto set = [L](const char* name, std::string_view text) {
    if (text.empty()) return;
    push(L, text);
    lua_setfield(L, -2, name);
  };
  lua_createtable(L, 0, 5);
  set("value", number);
  set("comparator", comparator);
  set("unit", unit.shown);
  if (unit.code.empty()) return;
  set("system", kUcum);
  set("code", unit.code);
}

std::span<const Binding> fhir_observation_converters() {
  return kBindings;
}

}  // namespace cannula::script
