// HL7 v2 values as FHIR data types: fhir.date, fhir.name and so on. They take a node of a message
// or a text as msg["PID-5"] reads it, and give nil where nothing stands.
#include "engine/script/fhir_converters.h"

#include <cmath>
#include <string>
#include <vector>

#include "engine/script/fhir_observations.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "engine/script/time_text.h"
#include "parsers/fhir/v2_values.h"
#include "parsers/hl7v2/date_time.h"
#include "parsers/hl7v2/values.h"
#include "rules/tables/loinc.h"

namespace cannula::script {

namespace {

// HL7 null, "", means: delete what you have. FHIR says it by leaving out.
std::string without_null(std::string text) {
  if (text == "\"\"") text.clear();
  return text;
}

// Of all members of a value.
template <class Value>
void leave_out_nulls(Value& value) {
  hl7v2::for_each_part(value, [](std::string_view, std::uint32_t, auto& member) {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, std::string>) {
      if (member == "\"\"") member.clear();
    } else {
      leave_out_nulls(member);
    }
  });
}

// What the argument `index` gives, a node or a text in the usual delimiters; empty where nothing
// stands.
hl7v2::Encoded encoded_argument(lua_State* L, int index) {
  static const hl7v2::Delimiters kUsual;
  const Object* object = object_at(L, index);
  if (object == nullptr || object->kind != Object::Kind::node) {
    const auto text = text_value(L, index, "a converter of fhir");
    return {hl7v2::part_of(text.value_or(""), kUsual.repetition, 1), kUsual};
  }
  const auto& node = checked_object<PlaceObject>(L, index, Object::Kind::node);
  if (!node.present) return {"", kUsual};
  return hl7v2::encoded_at(node.box->read(), node.place);
}

// Nothing stands there, or HL7 null: nullopt.
template <class Value>
std::optional<Value> value_of(const hl7v2::Encoded& encoded) {
  if (encoded.text.empty() || encoded.text == "\"\"") return std::nullopt;
  auto value = hl7v2::read<Value>(encoded);
  leave_out_nulls(value);
  return value;
}

template <class Value>
std::optional<Value> value_argument(lua_State* L, int index) {
  return value_of<Value>(encoded_argument(L, index));
}

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

// The message of the node that is the argument; null when it is none.
const hl7v2::Message* message_argument(lua_State* L, int index) {
  const Object* object = object_at(L, index);
  if (object == nullptr || object->kind != Object::Kind::node) return nullptr;
  return &checked_object<PlaceObject>(L, index, Object::Kind::node).box->read();
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

int date_time(lua_State* L) {
  const std::string text = text_argument(L, 1, "fhir.datetime");
  if (text.empty()) return give_nil(L);
  const auto found = to_date_time(L, text, message_argument(L, 1));
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
  const auto found = text.empty() ? std::nullopt : to_date_time(L, text, message_argument(L, 1));
  if (!found || found->find('T') == std::string::npos) {
    return give_nil(L, text.empty() ? "" : "'" + text.substr(0, 40) + "' is not a time");
  }
  push(L, *found);
  return 1;
}

// XPN (2.A.88)
int name(lua_State* L) {
  const auto xpn = value_argument<hl7v2::Xpn>(L, 1);
  if (!xpn) return give_nil(L);
  lua_createtable(L, 0, 5);
  set(L, "use", fhir::name_use_of(xpn->type));
  set(L, "family", xpn->family.surname);
  set_list(L, "given", {xpn->given, xpn->middle});
  set_list(L, "prefix", {xpn->prefix});
  set_list(L, "suffix", {xpn->suffix, xpn->degree});
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
    std::string found(text_value(L, -1, "a system of fhir.identifier").value_or(""));
    lua_pop(L, 1);
    if (!found.empty()) return found;
  }
  return "";
}

// CX (2.A.14)
int identifier(lua_State* L) {
  const auto cx = value_argument<hl7v2::Cx>(L, 1);
  if (!cx || cx->id.empty()) return give_nil(L);
  const std::string& value = cx->id;
  const std::string& type = cx->identifier_type;
  const hl7v2::Hd& authority = cx->assigning_authority;
  std::string system = given_system(L, authority.namespace_id, type);
  if (system.empty()) {
    system = fhir::authority_uri(authority.namespace_id, authority.universal_id,
                                 authority.universal_id_type);
  }
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
  const auto xad = value_argument<hl7v2::Xad>(L, 1);
  if (!xad) return give_nil(L);
  lua_createtable(L, 0, 7);
  set(L, "use", fhir::address_use_of(xad->type));
  if (xad->type == "M") set(L, "type", "postal");
  set_list(L, "line", {xad->street.address, xad->other});
  set(L, "city", xad->city);
  set(L, "district", xad->county);
  set(L, "state", xad->state);
  set(L, "postalCode", xad->postal_code);
  set(L, "country", xad->country);
  return 1;
}

// The number that XTN spells in parts: +country (area) local xextension.
std::string number_in_parts(const hl7v2::Xtn& xtn) {
  std::string text;
  const auto add = [&](const char* before, const std::string& part, const char* after) {
    if (part.empty()) return;
    if (!text.empty()) text += ' ';
    text += before + part + after;
  };
  if (xtn.local_number.empty()) return text;
  add("+", xtn.country_code, "");
  add("(", xtn.area_code, ")");
  add("", xtn.local_number, "");
  add("x", xtn.extension, "");
  return text;
}

// XTN (2.A.89)
int telecom(lua_State* L) {
  const auto xtn = value_argument<hl7v2::Xtn>(L, 1);
  if (!xtn) return give_nil(L);
  const fhir::Telecom kind = fhir::telecom_of(xtn->use, xtn->equipment);
  std::string value;
  if (kind.system == "email") value = xtn->address;
  if (value.empty()) value = xtn->number;
  if (value.empty()) value = number_in_parts(*xtn);
  if (value.empty()) value = xtn->unformatted;
  const bool mail = value.empty() && !xtn->address.empty();
  if (mail) value = xtn->address;
  if (value.empty()) return give_nil(L);
  lua_createtable(L, 0, 3);
  set(L, "system", mail ? "email" : kind.system);
  set(L, "value", value);
  set(L, "use", kind.use);
  return 1;
}

// What people read of a concept.
std::string text_of(const hl7v2::Cwe& cwe) {
  if (!cwe.original_text.empty()) return cwe.original_text;
  return cwe.text.empty() ? cwe.alternate_text : cwe.text;
}

// Whether the code has the form and the check digit of LOINC.
int is_loinc(lua_State* L) {
  const auto cwe = value_argument<hl7v2::Cwe>(L, 1);
  const std::string code = cwe ? fhir::code_of(cwe->identifier) : std::string();
  const auto mistake = tables::loinc_mistake(code);
  lua_pushboolean(L, mistake ? 0 : 1);
  if (!mistake) return 1;
  push(L, code.empty() ? "there is no code" : mistake->what);
  return 2;
}

int concept_of(lua_State* L) {
  return push_concept(L, encoded_argument(L, 1)) ? 1 : give_nil(L);
}

// A number with its unit; "<5" and the like as comparator and number.
int quantity(lua_State* L) {
  std::string text = text_argument(L, 1, "fhir.quantity");
  if (text.empty()) return give_nil(L);
  // OBX-5 of type SN: >^100
  if (text.find('^') != std::string::npos) {
    const auto sn = value_argument<hl7v2::Sn>(L, 1).value_or(hl7v2::Sn{});
    if (sn.separator.empty() && sn.second.empty()) {
      text = (sn.comparator == "=" ? "" : sn.comparator) + sn.first;
    }
  }
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
  push_quantity(L, *number, comparator, LuaRuntime::of(L).units().find(encoded_argument(L, 2)));
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
     "An HL7 v2 time as dateTime: to the day as it is, else to the second with its offset. Where "
     "it "
     "has none, that of MSH-7 holds (HL7 v2 2.14.9.7), as it does for rules: of the node's "
     "message, "
     "and for a text of the message that the channel received; else that of the channel's "
     "`timezone`; without any of them, an error. nil and the reason when it is no time.",
     &guarded<date_time>},
    {"instant", "(time: number|string|Node|nil): string?, string?",
     "Seconds, such as `time.now()`, or an HL7 v2 time as instant, with the offset that "
     "`fhir.datetime` gives it.",
     &guarded<instant>},
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
    {"is_loinc", "(code: string|Node|nil): boolean, string?",
     "Whether the code, or that of a CWE or CE, is written as LOINC's are: its last digit is "
     "computed from the others (Mod 10), so that a mistyped one shows. false and the reason when "
     "it is not, or when there is no code. Whether LOINC has such a code is not looked up.",
     &guarded<is_loinc>},
    {"quantity", "(value: string|number|Node|nil, unit?: string|Node): table?, string?",
     "A number with its digits and unit as Quantity; `<5` has a comparator. nil and the reason "
     "when "
     "it is no number. UCUM's code is given when the unit is known: `MG/DL`, `Mg/dL` and "
     "`mg/dL` are mg/dL. A unit that laboratories use in two ways (`MU/L`, `G/L`), and one that is "
     "sent as UCUM and is none, is text alone.",
     &guarded<quantity>},
    {"gender", "(text: string|Node|nil): string?",
     "Table 0001 as `male`, `female`, `other` or `unknown`.", &guarded<gender>},
};

}  // namespace

std::optional<std::string> to_date_time(lua_State* L, std::string_view text,
                                        const hl7v2::Message* message) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  if (message == nullptr && runtime.has_session()) {
    std::deque<MessageBox>& messages = runtime.session().messages;
    if (!messages.empty() && messages.front().received()) message = &messages.front().read();
  }
  fhir::Clock clock;
  if (message != nullptr) clock.offset = hl7v2::default_offset(*message);
  if (!runtime.program().timezone.empty()) clock.zone = &runtime.timezone();
  bool needs_zone = false;
  auto found = fhir::date_time_of(text, clock, &needs_zone);
  if (needs_zone) {
    throw ScriptError("L241", "the time '" + std::string(text.substr(0, 40)) +
                                  "' has no offset from UTC, nor has MSH-7, and the channel's "
                                  "source has no timezone: set timezone = \"Europe/Vienna\" or "
                                  "the like under [source]");
  }
  return found;
}

std::string concept_in_words(const hl7v2::Encoded& encoded) {
  const auto cwe = value_of<hl7v2::Cwe>(encoded);
  if (!cwe) return "";
  if (std::string text = text_of(*cwe); !text.empty()) return text;
  std::string code = fhir::code_of(cwe->identifier);
  if (code.empty()) code = fhir::code_of(cwe->alternate_identifier);
  return code.empty() ? "" : "[" + code + "]";
}

// CWE (2.A.13): code, text and system, twice, and the original text.
bool push_concept(lua_State* L, const hl7v2::Encoded& encoded) {
  const auto cwe = value_of<hl7v2::Cwe>(encoded);
  if (!cwe) return false;
  lua_createtable(L, 0, 2);
  lua_Integer count = 0;
  struct Coding {
    const std::string& code;
    const std::string& text;
    const std::string& system;
  };
  for (const Coding& coding :
       {Coding{cwe->identifier, cwe->text, cwe->system},
        Coding{cwe->alternate_identifier, cwe->alternate_text, cwe->alternate_system}}) {
    const std::string code = fhir::code_of(coding.code);
    if (code.empty()) continue;
    if (count == 0) lua_createtable(L, 2, 0);
    lua_createtable(L, 0, 3);
    set(L, "system", fhir::code_system_uri(coding.system));
    set(L, "code", code);
    set(L, "display", coding.text);
    lua_rawseti(L, -2, ++count);
  }
  if (count != 0) lua_setfield(L, -2, "coding");
  const std::string text = text_of(*cwe);
  if (text.empty() && count == 0) {
    lua_pop(L, 1);
    return false;
  }
  set(L, "text", text);
  return true;
}

std::span<const Binding> fhir_converters() {
  return kConverters;
}

}  // namespace cannula::script
