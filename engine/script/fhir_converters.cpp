// HL7 v2 values as FHIR data types: fhir.date, fhir.name and so on. They take a node of a message
// or a text as msg["PID-5"] reads it, and give nil where nothing stands.
#include <cmath>
#include <string>
#include <vector>

#include "engine/script/fhir_library.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "engine/script/time_text.h"
#include "parsers/fhir/v2_values.h"
#include "parsers/hl7v2/escape.h"
#include "rules/units/unit.h"

namespace cannula::script {

namespace {

// HL7 null, "", means: delete what you have. FHIR says it by leaving out.
std::string without_null(std::string text) {
  return text == "\"\"" ? std::string() : text;
}

// Part `number`, from 1, of a text divided by `delimiter`.
std::string_view part_of(std::string_view text, char delimiter, std::uint32_t number) {
  while (--number > 0) {
    const std::size_t end = text.find(delimiter);
    if (end == std::string_view::npos) return "";
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find(delimiter));
}

// A repetition of a field with its components, as the argument `index` gives it: a node, or a text
// in the usual delimiters.
class Composite {
 public:
  Composite(lua_State* L, int index) {
    const Object* object = object_at(L, index);
    if (object != nullptr && object->kind == Object::Kind::node) {
      node_ = &checked_object<PlaceObject>(L, index, Object::Kind::node);
      empty_ = !node_->present || !node_->box->read().get(node_->place);
      return;
    }
    const auto text = text_value(L, index, "a converter of fhir");
    text_ = part_of(text.value_or(""), '~', 1);
    empty_ = text_.empty() || text_ == "\"\"";
  }

  bool empty() const { return empty_; }

  // A component, or its subcomponent; of a component taken for a whole, its subcomponents.
  std::string get(std::uint32_t component, std::uint32_t subcomponent = 0) const {
    if (node_ == nullptr) {
      std::string_view part = part_of(text_, '^', component);
      if (subcomponent != 0) part = part_of(part, '&', subcomponent);
      return without_null(hl7v2::unescape(part, hl7v2::Delimiters{}));
    }
    hl7v2::Place place = node_->place;
    if (place.component == 0) {
      place.component = component;
      place.subcomponent = subcomponent;
    } else if (subcomponent <= 1) {
      place.subcomponent = component;
    } else {
      return "";
    }
    return without_null(node_->box->read().get(place).value_or(""));
  }

 private:
  const PlaceObject* node_ = nullptr;
  std::string_view text_;
  bool empty_ = false;
};

// The text of the argument, "" for nil, HL7 null and nothing.
std::string text_argument(lua_State* L, int index, std::string_view what) {
  const Object* object = object_at(L, index);
  if (object != nullptr && object->kind == Object::Kind::node) {
    const auto& node = checked_object<PlaceObject>(L, index, Object::Kind::node);
    if (!node.present) return "";
    return without_null(node.box->read().get(node.place).value_or(""));
  }
  return without_null(std::string(text_value(L, index, what).value_or("")));
}

void set(lua_State* L, const char* name, std::string_view text) {
  if (text.empty()) return;
  push(L, text);
  lua_setfield(L, -2, name);
}

// Sets a list of the texts that are not empty.
void set_list(lua_State* L, const char* name, std::initializer_list<std::string_view> texts) {
  lua_Integer count = 0;
  for (const std::string_view text : texts) {
    if (text.empty()) continue;
    if (count == 0) lua_createtable(L, static_cast<int>(texts.size()), 0);
    push(L, text);
    lua_rawseti(L, -2, ++count);
  }
  if (count != 0) lua_setfield(L, -2, name);
}

int give_nil(lua_State* L, const std::string& reason = "") {
  lua_pushnil(L);
  if (reason.empty()) return 1;
  push(L, reason);
  return 2;
}

int date(lua_State* L) {
  const std::string text = text_argument(L, 1, "fhir.date");
  if (text.empty()) return give_nil(L);
  const auto found = fhir::date_of(text);
  if (!found) return give_nil(L, "'" + text.substr(0, 40) + "' is not a date");
  push(L, *found);
  return 1;
}

std::optional<std::string> to_date_time(lua_State* L, std::string_view text) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  const bool has_zone = !runtime.program().timezone.empty();
  bool needs_zone = false;
  auto found = fhir::date_time_of(text, has_zone ? &runtime.timezone() : nullptr, &needs_zone);
  if (needs_zone) {
    throw ScriptError("L241", "the time '" + std::string(text.substr(0, 40)) +
                                  "' has no offset from UTC, and the channel's source has no "
                                  "timezone: set timezone = \"Europe/Vienna\" or the like under "
                                  "[source]");
  }
  return found;
}

int date_time(lua_State* L) {
  const std::string text = text_argument(L, 1, "fhir.datetime");
  if (text.empty()) return give_nil(L);
  const auto found = to_date_time(L, text);
  if (!found) return give_nil(L, "'" + text.substr(0, 40) + "' is not a time");
  push(L, *found);
  return 1;
}

int instant(lua_State* L) {
  if (lua_isnoneornil(L, 1)) return give_nil(L);
  if (lua_type(L, 1) == LUA_TNUMBER) {
    const lua_Number seconds = lua_tonumber(L, 1);
    if (!std::isfinite(seconds) || std::fabs(seconds) > 2.5e11) {
      throw ScriptError("L224", "a time is a number of seconds since 1970, within 8,000 years");
    }
    push(L, iso_time(std::llround(seconds * 1e6)));
    return 1;
  }
  const std::string text = text_argument(L, 1, "fhir.instant");
  const auto found = text.empty() ? std::nullopt : to_date_time(L, text);
  if (!found || found->find('T') == std::string::npos) {
    return give_nil(L, text.empty() ? "" : "'" + text.substr(0, 40) + "' is not a time");
  }
  push(L, *found);
  return 1;
}

// XPN (2.A.88)
int name(lua_State* L) {
  const Composite xpn(L, 1);
  if (xpn.empty()) return give_nil(L);
  lua_createtable(L, 0, 5);
  set(L, "use", fhir::name_use_of(xpn.get(7)));
  set(L, "family", xpn.get(1, 1));
  set_list(L, "given", {xpn.get(2), xpn.get(3)});
  set_list(L, "prefix", {xpn.get(5)});
  set_list(L, "suffix", {xpn.get(4), xpn.get(6)});
  return 1;
}

// The URI that the script's table gives for an authority or a type of identifier.
std::string given_system(lua_State* L, std::string_view authority, std::string_view type) {
  if (lua_isnoneornil(L, 2)) return "";
  if (lua_type(L, 2) != LUA_TTABLE) {
    throw ScriptError("L210",
                      "fhir.identifier takes the systems as a table, { NORTH = \"urn:…\" }");
  }
  for (const std::string_view key : {authority, type}) {
    if (key.empty()) continue;
    push(L, key);
    lua_rawget(L, 2);
    const std::string found(text_value(L, -1, "a system of fhir.identifier").value_or(""));
    lua_pop(L, 1);
    if (!found.empty()) return found;
  }
  return "";
}

// CX (2.A.14)
int identifier(lua_State* L) {
  const Composite cx(L, 1);
  const std::string value = cx.empty() ? "" : cx.get(1);
  if (value.empty()) return give_nil(L);
  const std::string type = cx.get(5);
  const std::string authority = cx.get(4, 1);
  std::string system = given_system(L, authority, type);
  if (system.empty()) system = fhir::authority_uri(authority, cx.get(4, 2), cx.get(4, 3));
  lua_createtable(L, 0, 3);
  set(L, "system", system);
  set(L, "value", value);
  if (!type.empty()) {
    lua_createtable(L, 0, 1);
    lua_createtable(L, 1, 0);
    lua_createtable(L, 0, 2);
    set(L, "system", "http://terminology.hl7.org/CodeSystem/v2-0203");
    set(L, "code", fhir::code_of(type));
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -2, "coding");
    lua_setfield(L, -2, "type");
  }
  return 1;
}

// XAD (2.A.87)
int address(lua_State* L) {
  const Composite xad(L, 1);
  if (xad.empty()) return give_nil(L);
  lua_createtable(L, 0, 7);
  const std::string type = xad.get(7);
  set(L, "use", fhir::address_use_of(type));
  if (type == "M") set(L, "type", "postal");
  set_list(L, "line", {xad.get(1, 1), xad.get(2)});
  set(L, "city", xad.get(3));
  set(L, "district", xad.get(9));
  set(L, "state", xad.get(4));
  set(L, "postalCode", xad.get(5));
  set(L, "country", xad.get(6));
  return 1;
}

// The number that XTN spells in parts: +country (area) local xextension.
std::string number_in_parts(const Composite& xtn) {
  std::string text;
  const auto add = [&](const char* before, const std::string& part, const char* after) {
    if (part.empty()) return;
    if (!text.empty()) text += ' ';
    text += before + part + after;
  };
  if (xtn.get(7).empty()) return text;
  add("+", xtn.get(5), "");
  add("(", xtn.get(6), ")");
  add("", xtn.get(7), "");
  add("x", xtn.get(8), "");
  return text;
}

// XTN (2.A.89)
int telecom(lua_State* L) {
  const Composite xtn(L, 1);
  if (xtn.empty()) return give_nil(L);
  const fhir::Telecom kind = fhir::telecom_of(xtn.get(2), xtn.get(3));
  std::string value;
  if (kind.system == "email") value = xtn.get(4);
  if (value.empty()) value = xtn.get(1);
  if (value.empty()) value = number_in_parts(xtn);
  if (value.empty()) value = xtn.get(12);
  const bool mail = value.empty() && !xtn.get(4).empty();
  if (mail) value = xtn.get(4);
  if (value.empty()) return give_nil(L);
  lua_createtable(L, 0, 3);
  set(L, "system", mail ? "email" : kind.system);
  set(L, "value", value);
  set(L, "use", kind.use);
  return 1;
}

// CWE (2.A.13): code, text and system, twice, and the original text.
int concept_of(lua_State* L) {
  const Composite cwe(L, 1);
  if (cwe.empty()) return give_nil(L);
  lua_createtable(L, 0, 2);
  lua_Integer count = 0;
  for (const std::uint32_t first : {1u, 4u}) {
    const std::string code = fhir::code_of(cwe.get(first));
    if (code.empty()) continue;
    if (count == 0) lua_createtable(L, 2, 0);
    lua_createtable(L, 0, 3);
    set(L, "system", fhir::code_system_uri(cwe.get(first + 2)));
    set(L, "code", code);
    set(L, "display", cwe.get(first + 1));
    lua_rawseti(L, -2, ++count);
  }
  if (count != 0) lua_setfield(L, -2, "coding");
  std::string text = cwe.get(9);
  if (text.empty()) text = cwe.get(2);
  if (text.empty()) text = cwe.get(5);
  if (text.empty() && count == 0) {
    lua_pop(L, 1);
    return give_nil(L);
  }
  set(L, "text", text);
  return 1;
}

// A number with its unit; "<5" and the like as comparator and number.
int quantity(lua_State* L) {
  std::string text = text_argument(L, 1, "fhir.quantity");
  if (text.empty()) return give_nil(L);
  std::string comparator;
  const std::size_t begin = text.find_first_not_of("<>=");
  if (begin != std::string::npos && begin != 0) {
    comparator = text.substr(0, begin);
    text.erase(0, begin);
  }
  const bool known = comparator.empty() || comparator == "<" || comparator == "<=" ||
                     comparator == ">" || comparator == ">=";
  const auto number = fhir::number_of(text);
  if (!number || !known) {
    return give_nil(L, "'" + (comparator + text).substr(0, 40) + "' is not a number");
  }
  // A unit may be given as OBX-6 stands, code^text^system.
  const Composite ce(L, 2);
  const std::string unit = ce.empty() ? "" : ce.get(1);
  const std::string display = ce.empty() ? "" : ce.get(2);
  lua_createtable(L, 0, 5);
  set(L, "value", *number);
  set(L, "comparator", comparator);
  if (unit.empty()) return 1;
  set(L, "unit", display.empty() ? unit : display);
  if (const auto ucum = units::Unit::ucum_of(unit)) {
    set(L, "system", "http://unitsofmeasure.org");
    set(L, "code", *ucum);
  }
  return 1;
}

int gender(lua_State* L) {
  const std::string text = text_argument(L, 1, "fhir.gender");
  if (text.empty()) return give_nil(L);
  push(L, fhir::gender_of(text));
  return 1;
}

constexpr Binding kConverters[] = {
    {"date", "(text: string|Node|nil): string?, string?",
     "`19610615` as `1961-06-15`, as far as it was known. nil and the reason when it is none.",
     &guarded<date>},
    {"datetime", "(text: string|Node|nil): string?, string?",
     "An HL7 v2 time as dateTime: to the day as it is, else to the second with its offset, which "
     "is that of the channel's `timezone` where the text has none; without either, an error. nil "
     "and the reason when it is no time.",
     &guarded<date_time>},
    {"instant", "(time: number|string|Node|nil): string?, string?",
     "Seconds, such as `time.now()`, or an HL7 v2 time as instant.", &guarded<instant>},
    {"name", "(node: Node|string|nil): table?", "XPN as HumanName.", &guarded<name>},
    {"identifier", "(node: Node|string|nil, systems?: table<string, string>): table?",
     "CX as Identifier. `systems` gives URIs by assigning authority or identifier type; without it "
     "the authority's OID or `urn:id:`NAME.",
     &guarded<identifier>},
    {"address", "(node: Node|string|nil): table?", "XAD as Address.", &guarded<address>},
    {"telecom", "(node: Node|string|nil): table?", "XTN as ContactPoint.", &guarded<telecom>},
    {"concept", "(node: Node|string|nil): table?",
     "CWE or CE as CodeableConcept; `LN` becomes `http://loinc.org`, and so on for known code "
     "systems, others `urn:id:`NAME.",
     &guarded<concept_of>},
    {"quantity", "(value: string|number|Node|nil, unit?: string|Node): table?, string?",
     "A number with its digits and unit as Quantity, with UCUM's code when the unit is known; "
     "`<5` has a comparator. nil and the reason when it is no number.",
     &guarded<quantity>},
    {"gender", "(text: string|Node|nil): string?",
     "Table 0001 as `male`, `female`, `other` or `unknown`.", &guarded<gender>},
};

}  // namespace

std::span<const Binding> fhir_converters() {
  return kConverters;
}

}  // namespace cannula::script
