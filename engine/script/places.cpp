#include "engine/script/places.h"

#include <cstring>
#include <string>

#include "engine/script/lua_runtime.h"
#include "engine/script/typed_values.h"

namespace cannula::script {

using hl7v2::Message;
using hl7v2::Path;
using hl7v2::Place;
using hl7v2::SegmentId;

void push_text(lua_State* L, const std::optional<std::string>& text) {
  if (text) {
    push(L, *text);
  } else {
    lua_pushnil(L);
  }
}

void push_text(lua_State* L, const Message& message, const Place& place) {
  const std::string_view raw = message.raw(place);
  if (raw.empty()) return lua_pushnil(L);
  std::string space;
  push(L, message.text(place, raw, space));
}

void count_work(lua_State* L, const Message& message) {
  Machine::of(L).work(L, 4 + message.segment_count() / 2);
}

std::optional<int> find_member(std::span<const Binding> members, std::string_view name) {
  for (std::size_t at = 0; at < members.size(); ++at) {
    if (members[at].name == name) return static_cast<int>(at);
  }
  return std::nullopt;
}

namespace {
std::string suggest_member(std::span<const Binding> members, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Binding& member : members) names.push_back(member.name);
  return did_you_mean(name, names);
}
}  // namespace

void unknown_member(std::string_view object, std::span<const Binding> members,
                    std::string_view name) {
  throw ScriptError("L221", "a " + std::string(object) + " has no '" +
                                std::string(name.substr(0, 60)) + "'" +
                                suggest_member(members, name));
}

void unknown_key(std::string_view object, std::span<const Binding> members, std::string_view text,
                 const Error& why) {
  const bool looks_like_path = text.find_first_of("-.[0123456789") != std::string_view::npos;
  if (!looks_like_path) unknown_member(object, members, text);
  throw ScriptError("L220", why.text());
}

std::string_view segment_name_argument(lua_State* L, int index) {
  const std::string_view name = string_argument(L, index);
  if (name.size() != 3) {
    throw ScriptError("L220",
                      "'" + std::string(name.substr(0, 60)) +
                          "' is not the name of a segment, which has three characters: \"OBX\"");
  }
  return name;
}

Path path_argument(lua_State* L, int index) {
  const auto path = Path::parse(string_argument(L, index));
  if (!path) throw ScriptError("L220", path.error().text());
  return *path;
}

void write_path(lua_State* L, MessageBox& box, const Path& path,
                std::optional<std::string_view> text) {
  Session& session = LuaRuntime::of(L).session();
  charge(L, session, 128 + (text ? text->size() : 0) + path.field + path.component);
  count_work(L, box.read());
  if (text) box.check_writable(*text);
  const auto written = box.edit().set(path, text);
  if (!written) throw ScriptError("L222", written.error().text());
}

PlaceObject& new_place(lua_State* L, Object::Kind kind, MessageBox& box) {
  auto* object = static_cast<PlaceObject*>(
      new_object(L, kind, sizeof(PlaceObject), LuaRuntime::of(L).session().serial));
  object->box = &box;
  object->present = false;
  object->place = Place{};
  std::memset(object->name, 0, sizeof(object->name));
  object->nth = 0;
  return *object;
}

namespace {

// The same place with other numbers, as a Node.
PlaceObject& new_part(lua_State* L, const PlaceObject& whole) {
  PlaceObject& part = new_place(L, Object::Kind::node, *whole.box);
  part.present = whole.present;
  part.place = whole.place;
  std::memcpy(part.name, whole.name, sizeof(part.name));
  part.nth = whole.nth;
  return part;
}

PlaceObject& place_self(lua_State* L, Object::Kind kind) {
  return checked_object<PlaceObject>(L, 1, kind);
}

// Empty when nothing stands there; `space` holds what cannot be shown in place.
std::string_view text_of(const PlaceObject& object, std::string& space) {
  return object.present ? object.box->read().text(object.place, space) : std::string_view();
}

// Where the object stands, as people write it: "OBX[2]-5.1".
Path path_of(const PlaceObject& object) {
  if (object.present) return object.box->read().path_of(object.place);
  Path path;
  std::memcpy(path.segment, object.name, sizeof(path.segment));
  path.segment_index = object.nth;
  path.field = object.place.field;
  path.repetition = object.place.repetition;
  path.component = object.place.component;
  path.subcomponent = object.place.subcomponent;
  return path;
}

void write_place(lua_State* L, const PlaceObject& object, const Place& place,
                 std::optional<std::string_view> text) {
  if (object.present) {
    Session& session = LuaRuntime::of(L).session();
    charge(L, session, 128 + (text ? text->size() : 0) + place.field + place.component);
    if (text) object.box->check_writable(*text);
    const auto written = object.box->edit().set(place, text);
    if (!written) throw ScriptError("L222", written.error().text());
    return;
  }
  if (object.nth == 0) {
    throw ScriptError("L222", "this group has no " + std::string(object.name) +
                                  " segment to write to: add one with msg:add(…)");
  }
  PlaceObject missing = object;
  missing.place = place;
  write_path(L, *object.box, path_of(missing), text);
}

std::uint32_t number_argument(lua_State* L, int index, std::string_view what) {
  int is_integer = 0;
  const lua_Integer number = lua_tointegerx(L, index, &is_integer);
  if (is_integer == 0 || number < 1 || number > 65535) {
    throw ScriptError("L220", "a " + std::string(what) + " is numbered from 1 to 65535");
  }
  return static_cast<std::uint32_t>(number);
}

// The part `number` of a node's place; false where a subcomponent has no parts.
bool go_into(Place& place, std::uint32_t number) {
  if (place.field == 0) {
    place.field = number;
  } else if (place.component == 0) {
    place.component = number;
  } else if (place.subcomponent == 0) {
    place.subcomponent = number;
  } else {
    return false;
  }
  return true;
}

Place part_argument(lua_State* L, const PlaceObject& whole) {
  Place place = whole.place;
  if (!go_into(place, number_argument(L, 2, place.field == 0 ? "field" : "component"))) {
    throw ScriptError("L220", "a subcomponent has no parts: " + path_of(whole).text());
  }
  return place;
}

// -- Segment

int segment_text(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::segment);
  push(L, object.present ? object.box->read().text_of(object.place.segment) : std::string());
  return 1;
}

Path relative_path_argument(lua_State* L) {
  const Path path = path_argument(L, 2);
  if (path.segment[0] != 0) {
    throw ScriptError(
        "L220", "in a segment a path begins with the field: \"3.1\", not \"" + path.text() + "\"");
  }
  return path;
}

int segment_is_null(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::segment);
  const Path path = relative_path_argument(L);
  bool null = false;
  if (object.present) {
    const Message& message = object.box->read();
    const auto place = message.locate(path, object.place.segment);
    null = place && message.is_null(*place);
  }
  lua_pushboolean(L, null);
  return 1;
}

int segment_exists(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::segment);
  lua_pushboolean(L, object.present && object.box->read().position_of(object.place.segment));
  return 1;
}

int segment_node(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::segment);
  push_node(L, *object.box, relative_path_argument(L), &object);
  return 1;
}

constexpr Binding kSegmentMembers[] = {
    {"name", "string", "`\"OBX\"`."},
    {"text", "(): string", "The segment, encoded; empty when it is not there.",
     &guarded<segment_text>},
    {"isnull", "(path: string): boolean", "Whether HL7 null, `\"\"`, stands there.",
     &guarded<segment_is_null>},
    {"exists", "(): boolean", "Whether the message has this segment.", &guarded<segment_exists>},
    {"node", "(path: string): Node", "The place of a path as a Node: `obx:node(\"5[2]\")`.",
     &guarded<segment_node>},
};

Key resolve_segment_key(lua_State*, std::string_view text) {
  if (const auto member = find_member(kSegmentMembers, text))
    return {Key::Kind::member, *member, {}};
  const auto path = Path::parse(text);
  if (path && path->segment[0] == 0) return {Key::Kind::path, 0, *path};
  if (path) {
    throw ScriptError("L220", "in a segment a path begins with the field: \"3.1\", not \"" +
                                  std::string(text) + "\"");
  }
  unknown_key("Segment", kSegmentMembers, text, path.error());
}

int index_segment(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::segment);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    const Place place = part_argument(L, object);
    new_part(L, object).place = place;
    return 1;
  }
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220", "a segment is read by path, obx[\"3.1\"], or by field, obx[3]");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_segment_key);
  if (key.kind == Key::Kind::member) {
    if (const lua_CFunction function = kSegmentMembers[key.member].function) {
      lua_pushcfunction(L, function);
    } else if (object.present) {
      push(L, object.box->read().name_of(object.place.segment));
    } else {
      lua_pushstring(L, object.name);
    }
    return 1;
  }
  if (!object.present) return 0;
  // Where the segment was removed, nothing stands.
  const Path& path = key.path;
  const std::uint32_t repetition = path.repetition == Path::kAll ? 1 : path.repetition;
  push_text(L, object.box->read(),
            {object.place.segment, path.field, repetition, path.component, path.subcomponent});
  return 1;
}

}  // namespace

void write_in_segment(lua_State* L, const PlaceObject& object, const Path& path) {
  const auto text = text_value(L, 3, "a path");
  if (!object.present) {
    Place place{0, path.field, path.repetition, path.component, path.subcomponent};
    return write_place(L, object, place, text);
  }
  const Message& message = object.box->read();
  if (path.repetition == Path::kAll) {
    for (const Place& place : message.locate_all(path, object.place.segment)) {
      write_place(L, object, place, text);
    }
    return;
  }
  const auto place = message.locate(path, object.place.segment);
  if (!place) throw ScriptError("L222", "the segment was removed from its message");
  write_place(L, object, *place, text);
}

namespace {

int assign_segment(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::segment);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    write_place(L, object, part_argument(L, object), text_value(L, 3, "a field"));
    return 0;
  }
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220", "a segment is written by path, obx[\"3.1\"] = value, or by field");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_segment_key);
  if (key.kind == Key::Kind::member) {
    throw ScriptError("L222",
                      "'" + std::string(view_at(L, 2)) +
                          "' of a segment cannot be assigned: write a field, obx[\"3.1\"] = value");
  }
  write_in_segment(L, object, key.path);
  return 0;
}

// -- Node

int node_text(lua_State* L) {
  std::string space;
  push(L, text_of(place_self(L, Object::Kind::node), space));
  return 1;
}

int node_is(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  const auto wanted = text_value(L, 2, "is");
  std::string space;
  lua_pushboolean(L, text_of(object, space) == wanted.value_or(""));
  return 1;
}

int node_set(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  write_place(L, object, object.place, text_value(L, 2, "set"));
  return 0;
}

int node_is_null(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  lua_pushboolean(L, object.present && object.box->read().is_null(object.place));
  return 1;
}

int node_is_empty(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  lua_pushboolean(L, !object.present || object.box->read().raw(object.place).empty());
  return 1;
}

std::uint32_t parts_of(const PlaceObject& object) {
  if (!object.present) return 0;
  const Message& message = object.box->read();
  const Place& place = object.place;
  if (place.repetition == 0 && place.component == 0) return message.repetitions(place);
  if (place.component == 0) return message.components(place);
  return place.subcomponent == 0 ? message.subcomponents(place) : 0;
}

// Upvalues: the node, how many parts, the last part given.
int next_part(lua_State* L) {
  const lua_Integer at = lua_tointeger(L, lua_upvalueindex(3)) + 1;
  if (at > lua_tointeger(L, lua_upvalueindex(2))) return 0;
  lua_pushinteger(L, at);
  lua_replace(L, lua_upvalueindex(3));
  const PlaceObject& whole =
      checked_object<PlaceObject>(L, lua_upvalueindex(1), Object::Kind::node);
  PlaceObject& part = new_part(L, whole);
  const auto number = static_cast<std::uint32_t>(at);
  if (whole.place.repetition == 0 && whole.place.component == 0) {
    part.place.repetition = number;
  } else {
    go_into(part.place, number);
  }
  return 1;
}

int node_each(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  const std::uint32_t parts = parts_of(object);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, parts);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, &guarded<next_part>, 3);
  return 1;
}

int node_path(lua_State* L) {
  push(L, path_of(place_self(L, Object::Kind::node)).text());
  return 1;
}

int node_rep(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  const std::uint32_t number = number_argument(L, 2, "repetition");
  if (object.place.component != 0) {
    throw ScriptError("L220", "only a field repeats: " + path_of(object).text());
  }
  new_part(L, object).place.repetition = number;
  return 1;
}

constexpr Binding kNodeMembers[] = {
    {"text", "(): string", "The text that stands there; empty when nothing does.",
     &guarded<node_text>},
    {"is", "(text: string?): boolean",
     "Whether that text stands there. (`node == \"F\"` is always false in Lua.)",
     &guarded<node_is>},
    {"set", "(text: string|number|phi|nil)", "Writes; nil clears.", &guarded<node_set>},
    {"each", "(): fun(): Node",
     "Walks the repetitions of a field, the components of a repetition, the subcomponents of a "
     "component.",
     &guarded<node_each>},
    {"isnull", "(): boolean", "Whether HL7 null, `\"\"`, stands there.", &guarded<node_is_null>},
    {"isempty", "(): boolean", "Whether nothing stands there.", &guarded<node_is_empty>},
    {"path", "(): string", "Where it is: `\"OBX[2]-5.1\"`.", &guarded<node_path>},
    {"rep", "(number: integer): Node", "A repetition of the field: `msg.PID[3]:rep(2)`.",
     &guarded<node_rep>},
    {"nm", "(): number?, string?",
     "NM: the number, and its text with the digits as written. nil and the reason when it is none.",
     &guarded<node_nm>},
    {"sn", "(value?: table): table?",
     "SN: `comparator`, `first`, `separator`, `second`. Texts such as `<5` and `1:128` are read "
     "too. A table writes.",
     &guarded<node_sn>},
    {"dtm", "(value?: table): table?, string?",
     "DTM or TS: `year` to `second` as far as they are known, `fraction` and `offset` as written, "
     "`precision` (`\"day\"`), `text`. nil and the reason when it is no time. A table writes.",
     &guarded<node_dtm>},
    {"hd", "(value?: table): table?",
     "HD: `namespace_id`, `universal_id`, `universal_id_type`. A table writes.", &guarded<node_hd>},
    {"cwe", "(value?: table): table?",
     "CWE or CE: `identifier`, `text`, `system`, the same with `alternate_` in front, "
     "`system_version`, `alternate_system_version`, `original_text`. A table writes.",
     &guarded<node_cwe>},
    {"cx", "(value?: table): table?",
     "CX: `id`, `check_digit`, `check_digit_scheme`, `assigning_authority` (HD), "
     "`identifier_type`, `assigning_facility` (HD), `effective_date`, `expiration_date`, "
     "`assigning_jurisdiction` and `assigning_agency` (CWE). What is not there is not in the "
     "table. A table writes: what is not in it is cleared, other components stay, and writing what "
     "was read changes no byte.",
     &guarded<node_cx>},
    {"xpn", "(value?: table): table?",
     "XPN: `family` (`surname`, `own_prefix`, `own_surname`, `partner_prefix`, "
     "`partner_surname`), `given`, `middle`, `suffix`, `prefix`, `degree`, `type`, "
     "`representation`, `assembly_order`, `effective_date`, `expiration_date`, "
     "`professional_suffix`, `called_by`. A table writes.",
     &guarded<node_xpn>},
    {"xcn", "(value?: table): table?",
     "XCN: `id`, the names as of XPN, `source_table`, `assigning_authority` (HD), `type`, "
     "`check_digit`, `check_digit_scheme`, `identifier_type`, `assigning_facility` (HD). A table "
     "writes.",
     &guarded<node_xcn>},
    {"xad", "(value?: table): table?",
     "XAD: `street` (`address`, `name`, `number`), `other`, `city`, `state`, `postal_code`, "
     "`country`, `type`, `other_geographic`, `county`, `census_tract`. A table writes.",
     &guarded<node_xad>},
    {"xtn", "(value?: table): table?",
     "XTN: `number`, `use`, `equipment`, `address`, `country_code`, `area_code`, `local_number`, "
     "`extension`, `remark`, `extension_prefix`, `speed_dial`, `unformatted`. A table writes.",
     &guarded<node_xtn>},
    {"formatted", "(): string",
     "The text of an FT or TX field with its formatting carried out: `\\.br\\` is a line break, "
     "`\\H\\` leaves no trace.",
     &guarded<node_formatted>},
    {"base64", "(): string?, string?",
     "The bytes of a text in Base64, line breaks in it passed over. nil and the reason when it is "
     "none.",
     &guarded<node_base64>},
    {"document", "(): string?, table|string",
     "ED, a document in OBX-5: its bytes, and a table of `source`, `type`, `subtype` and "
     "`encoding`. nil and the reason when it is none.",
     &guarded<node_document>},
};

int index_node(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    const Place place = part_argument(L, object);
    new_part(L, object).place = place;
    return 1;
  }
  const std::string_view name = lua_type(L, 2) == LUA_TSTRING ? view_at(L, 2) : "";
  const auto member = find_member(kNodeMembers, name);
  if (!member) unknown_member("Node", kNodeMembers, name);
  lua_pushcfunction(L, kNodeMembers[*member].function);
  return 1;
}

int assign_node(lua_State* L) {
  const PlaceObject& object = place_self(L, Object::Kind::node);
  if (lua_type(L, 2) != LUA_TNUMBER) {
    throw ScriptError("L222",
                      "a part of a node is written by number, node[1] = value; the node itself "
                      "with node:set(value)");
  }
  write_place(L, object, part_argument(L, object), text_value(L, 3, "a part of a node"));
  return 0;
}

}  // namespace

void open_object(lua_State* L, Object::Kind kind, lua_CFunction index, lua_CFunction assign,
                 lua_CFunction text) {
  lua_createtable(L, 0, 6);
  lua_pushcfunction(L, index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, assign);
  lua_setfield(L, -2, "__newindex");
  if (text != nullptr) {
    lua_pushcfunction(L, text);
    lua_setfield(L, -2, "__tostring");
  }
  set_object_metatable(L, kind);
}

void write_node(lua_State* L, const PlaceObject& node, std::optional<std::string_view> text) {
  write_place(L, node, node.place, text);
}

void push_node(lua_State* L, MessageBox& box, const Path& path, const PlaceObject* base) {
  if (path.field == 0 || path.repetition == Path::kAll || path.segment_index == Path::kAll) {
    throw ScriptError("L220", "a node is one place, with a field and without [*]: \"PID-3[2]\"");
  }
  if (base == nullptr) {
    push_segment_of(L, box, path);
    base = &checked_object<PlaceObject>(L, -1, Object::Kind::segment);
  }
  PlaceObject& node = new_part(L, *base);
  node.place.field = path.field;
  node.place.repetition = path.repetition;
  node.place.component = path.component;
  node.place.subcomponent = path.subcomponent;
}

void push_segment(lua_State* L, MessageBox& box, SegmentId segment) {
  PlaceObject& object = new_place(L, Object::Kind::segment, box);
  object.present = true;
  object.place.segment = segment;
}

void push_segment_of(lua_State* L, MessageBox& box, const Path& path) {
  if (path.segment_index == Path::kAll) {
    throw ScriptError("L220", "walk the segments instead: for segment in msg:each(\"" +
                                  std::string(path.segment_name()) + "\") do");
  }
  const Message& message = box.read();
  count_work(L, message);
  const auto segment = message.find(path.segment_name(), path.segment_index);
  PlaceObject& object = new_place(L, Object::Kind::segment, box);
  object.present = segment.has_value();
  object.place.segment = segment.value_or(0);
  std::memcpy(object.name, path.segment, sizeof(path.segment));
  object.nth = path.segment_index;
}

PlaceObject& segment_argument(lua_State* L, int index, MessageBox& box) {
  auto& segment = checked_object<PlaceObject>(L, index, Object::Kind::segment);
  if (segment.box != &box) {
    throw ScriptError("L222", "the segment belongs to another message");
  }
  if (!segment.present) {
    throw ScriptError("L222", "the message has no such segment: " + std::string(segment.name));
  }
  return segment;
}

void open_place_objects(lua_State* L) {
  open_object(L, Object::Kind::segment, &guarded<index_segment>, &guarded<assign_segment>,
              &guarded<segment_text>);
  open_object(L, Object::Kind::node, &guarded<index_node>, &guarded<assign_node>,
              &guarded<node_text>);
  open_group_object(L);
}

Library segment_object() {
  return {"Segment", Library::Kind::object,
          "A segment. `obx[\"3.1\"]` reads and writes like a message, without the segment's name; "
          "`obx[3]` is a Node. A segment that is not there is empty, and writing to it makes it.",
          kSegmentMembers};
}

Library node_object() {
  return {"Node", Library::Kind::object,
          "A place in a message: `msg.PID[5][1]`. A place that is not there is empty, never nil.",
          kNodeMembers};
}

}  // namespace cannula::script
