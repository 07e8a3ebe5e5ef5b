#include "engine/script/typed_values.h"

#include <string>
#include <vector>

#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "parsers/hl7v2/date_time.h"
#include "parsers/hl7v2/encapsulated.h"
#include "parsers/hl7v2/values.h"

namespace cannula::script {

namespace {

using hl7v2::DateTime;

template <class Member>
constexpr bool kIsText = std::is_same_v<std::remove_cvref_t<Member>, std::string>;

PlaceObject& self(lua_State* L) {
  return checked_object<PlaceObject>(L, 1, Object::Kind::node);
}

std::string_view raw_of(const PlaceObject& object) {
  return object.present ? object.box->read().raw(object.place) : std::string_view();
}

std::string text_of(const PlaceObject& object) {
  if (!object.present) return "";
  return object.box->read().get(object.place).value_or("");
}

int give_nil(lua_State* L, std::string_view reason = "") {
  lua_pushnil(L);
  if (reason.empty()) return 1;
  push(L, reason);
  return 2;
}

void set(lua_State* L, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  push(L, name);
  push(L, text);
  lua_rawset(L, -3);
}

// -- Values of several parts

template <class Value>
bool is_empty(const Value& value) {
  bool empty = true;
  hl7v2::for_each_part(value, [&](std::string_view, std::uint32_t, const auto& member) {
    if constexpr (kIsText<decltype(member)>) {
      empty = empty && member.empty();
    } else {
      empty = empty && is_empty(member);
    }
  });
  return empty;
}

// Pushes a table of what is there.
template <class Value>
void push_value(lua_State* L, const Value& value) {
  lua_newtable(L);
  hl7v2::for_each_part(value, [&](std::string_view name, std::uint32_t, const auto& member) {
    if constexpr (kIsText<decltype(member)>) {
      set(L, name, member);
    } else {
      if (is_empty(member)) return;
      push(L, name);
      push_value(L, member);
      lua_rawset(L, -3);
    }
  });
}

template <class Value>
void refuse_unknown_members(lua_State* L, int table, std::string_view type) {
  std::vector<std::string_view> names;
  Value value;
  hl7v2::for_each_part(value,
                       [&](std::string_view name, std::uint32_t, auto&) { names.push_back(name); });
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    const std::string_view name = lua_type(L, -1) == LUA_TSTRING ? view_at(L, -1) : "a number";
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw ScriptError("L250", "a value of type " + std::string(type) + " has no '" +
                                    std::string(name.substr(0, 60)) + "'" +
                                    did_you_mean(name, names));
    }
  }
}

// The value of the table at `table`. Where a part is a value itself, a text stands for its first
// member: family = "Muster".
template <class Value>
Value value_of_table(lua_State* L, int table, std::string_view type) {
  refuse_unknown_members<Value>(L, table, type);
  Value value;
  hl7v2::for_each_part(value, [&](std::string_view name, std::uint32_t, auto& member) {
    push(L, name);
    lua_rawget(L, table);
    if constexpr (kIsText<decltype(member)>) {
      member = text_value(L, -1, std::string(type) + "." + std::string(name)).value_or("");
    } else if (lua_type(L, -1) == LUA_TTABLE) {
      member = value_of_table<std::remove_cvref_t<decltype(member)>>(L, lua_gettop(L), name);
    } else {
      const std::string text(
          text_value(L, -1, std::string(type) + "." + std::string(name)).value_or(""));
      hl7v2::for_each_part(member, [&text](std::string_view, std::uint32_t number, auto& first) {
        if constexpr (kIsText<decltype(first)>) {
          if (number == 1) first = text;
        }
      });
    }
    lua_pop(L, 1);
  });
  return value;
}

// Writes a place that may not be there yet: a text of the delimiters of the message.
void write_encoded(lua_State* L, const PlaceObject& object, const std::string& encoded) {
  push(L, encoded);
  lua_replace(L, 3);
  write_node(L, object, encoded);
}

template <class Value>
void write_value(lua_State* L, const PlaceObject& object, const Value& value) {
  const std::string encoded = hl7v2::encode(value, object.box->read().delimiters());
  if (!object.present) return write_encoded(L, object, encoded);
  charge(L, LuaRuntime::of(L).session(), 512 + 2 * encoded.size());
  object.box->check_writable(encoded);
  const auto written = hl7v2::write(object.box->edit(), object.place, value);
  if (!written) throw ScriptError("L222", written.error().text());
}

template <class Value>
int give_or_write(lua_State* L, std::string_view type, const Value& read) {
  if (!lua_isnoneornil(L, 2)) {
    if (lua_type(L, 2) != LUA_TTABLE) {
      throw ScriptError("L250", "a value of type " + std::string(type) +
                                    " is written as a table of its parts, not as a " +
                                    luaL_typename(L, 2) + "; set(text) writes a text");
    }
    lua_settop(L, 2);
    const Value value = value_of_table<Value>(L, 2, type);
    lua_settop(L, 3);
    write_value(L, self(L), value);
    return 0;
  }
  if (is_empty(read)) return give_nil(L);
  push_value(L, read);
  return 1;
}

template <class Value>
int parts(lua_State* L, std::string_view type) {
  const PlaceObject& object = self(L);
  Value value;
  if (object.present) value = hl7v2::read<Value>(object.box->read(), object.place);
  return give_or_write(L, type, value);
}

// -- DTM

std::optional<int> number_member(lua_State* L, const char* name) {
  lua_getfield(L, 2, name);
  std::optional<int> number;
  if (!lua_isnil(L, -1)) {
    int is_integer = 0;
    const lua_Integer value = lua_tointegerx(L, -1, &is_integer);
    if (is_integer == 0 || value < 0 || value > 9999) {
      throw ScriptError("L250", std::string("the ") + name + " of a time is a whole number");
    }
    number = static_cast<int>(value);
  }
  lua_pop(L, 1);
  return number;
}

std::string text_member(lua_State* L, const char* name) {
  lua_getfield(L, 2, name);
  std::string text(text_value(L, -1, std::string("the ") + name + " of a time").value_or(""));
  lua_pop(L, 1);
  return text;
}

// As far as the table has parts without a gap, or as `precision` says.
std::string time_of_table(lua_State* L) {
  constexpr const char* kParts[] = {"year", "month", "day", "hour", "minute", "second"};
  const std::string precision = text_member(L, "precision");
  std::string text;
  bool whole = true;
  for (const char* part : kParts) {
    const auto number = number_member(L, part);
    if (!number) {
      whole = false;
      break;
    }
    const std::string digits = std::to_string(*number);
    const std::size_t width = text.empty() ? 4 : 2;
    text += std::string(width - std::min(width, digits.size()), '0') + digits;
    if (precision == part) {
      whole = precision == "second";
      break;
    }
  }
  const std::string fraction = text_member(L, "fraction");
  if (whole && !fraction.empty()) text += "." + fraction;
  text += text_member(L, "offset");
  const auto time = DateTime::parse(text);
  if (!time) throw ScriptError("L250", time.error().text());
  return text;
}

void set_number(lua_State* L, const char* name, int number) {
  lua_pushinteger(L, number);
  lua_setfield(L, -2, name);
}

}  // namespace

int node_hd(lua_State* L) {
  return parts<hl7v2::Hd>(L, "HD");
}
int node_cwe(lua_State* L) {
  return parts<hl7v2::Cwe>(L, "CWE");
}
int node_cx(lua_State* L) {
  return parts<hl7v2::Cx>(L, "CX");
}
int node_xpn(lua_State* L) {
  return parts<hl7v2::Xpn>(L, "XPN");
}
int node_xcn(lua_State* L) {
  return parts<hl7v2::Xcn>(L, "XCN");
}
int node_xad(lua_State* L) {
  return parts<hl7v2::Xad>(L, "XAD");
}
int node_xtn(lua_State* L) {
  return parts<hl7v2::Xtn>(L, "XTN");
}

int node_nm(lua_State* L) {
  const std::string text = text_of(self(L));
  if (text.empty() || text == "\"\"") return give_nil(L);
  const auto number = hl7v2::read_number(text);
  if (!number) return give_nil(L, "'" + text.substr(0, 40) + "' is not a number");
  if (lua_stringtonumber(L, number->text.c_str()) == 0) lua_pushnumber(L, number->value);
  push(L, number->text);
  return 2;
}

int node_sn(lua_State* L) {
  const PlaceObject& object = self(L);
  hl7v2::Sn value;
  if (object.present) {
    const hl7v2::Encoded encoded = hl7v2::encoded_at(object.box->read(), object.place);
    if (encoded.text.find(encoded.delimiters.component) != std::string_view::npos) {
      value = hl7v2::read<hl7v2::Sn>(encoded);
    } else if (const auto written = hl7v2::read_structured_number(text_of(object))) {
      value = *written;
    }
  }
  return give_or_write(L, "SN", value);
}

int node_dtm(lua_State* L) {
  const PlaceObject& object = self(L);
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    const std::string text = time_of_table(L);
    lua_settop(L, 3);
    if (text_of(object) != text) write_encoded(L, object, text);
    return 0;
  }
  std::string text = text_of(object);
  if (text.empty() || text == "\"\"") return give_nil(L);
  // TS: its time, to the degree of precision that it states.
  std::string degree;
  if (object.place.component == 0) {
    const hl7v2::Encoded encoded = hl7v2::encoded_at(object.box->read(), object.place);
    text = hl7v2::part_of(encoded.text, encoded.delimiters.component, 1);
    degree = hl7v2::part_of(encoded.text, encoded.delimiters.component, 2);
  }
  const auto time = DateTime::parse(text, degree);
  if (!time) return give_nil(L, time.error().text());
  lua_createtable(L, 0, 10);
  set(L, "text", time->text());
  set(L, "precision", name_of(time->precision));
  const int values[] = {time->year, time->month, time->day, time->hour, time->minute, time->second};
  for (int at = 0; at <= static_cast<int>(time->precision); ++at) {
    const auto part = static_cast<DateTime::Precision>(at);
    set_number(L, std::string(name_of(part)).c_str(), values[at]);
  }
  set(L, "fraction", time->fraction);
  if (time->offset) {
    const std::string whole = time->text();
    set(L, "offset", std::string_view(whole).substr(whole.size() - 5));
  }
  return 1;
}

int node_formatted(lua_State* L) {
  const PlaceObject& object = self(L);
  const std::string_view raw = raw_of(object);
  Machine::of(L).work(L, raw.size() / 4);
  if (raw.empty() || raw == "\"\"") {
    push(L, raw);
  } else {
    push(L, hl7v2::formatted(raw, object.box->read().delimiters()));
  }
  return 1;
}

int node_base64(lua_State* L) {
  const PlaceObject& object = self(L);
  const std::string_view raw = raw_of(object);
  if (raw.empty() || raw == "\"\"") return give_nil(L);
  Machine::of(L).work(L, raw.size() / 4);
  const auto bytes = hl7v2::base64_of(raw, object.box->read().delimiters());
  if (!bytes) return give_nil(L, bytes.error().text());
  push(L, *bytes);
  return 1;
}

int node_document(lua_State* L) {
  const PlaceObject& object = self(L);
  const std::string_view raw = raw_of(object);
  if (raw.empty() || raw == "\"\"") return give_nil(L);
  Machine::of(L).work(L, raw.size() / 4);
  const auto document = hl7v2::read_encapsulated(object.box->read(), object.place);
  if (!document) return give_nil(L, document.error().text());
  push(L, document->bytes);
  lua_createtable(L, 0, 4);
  set(L, "source", document->source);
  set(L, "type", document->type);
  set(L, "subtype", document->subtype);
  set(L, "encoding", document->encoding);
  return 2;
}

}  // namespace cannula::script
