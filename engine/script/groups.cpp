// Group objects, and the iterators over segments and groups.
#include <cstring>
#include <string>

#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "parsers/hl7v2/structure.h"

namespace cannula::script {

using hl7v2::Message;
using hl7v2::Path;
using hl7v2::SegmentId;

void check_group_name(const Message& message, std::string_view name) {
  const hl7v2::Structure* structure = hl7v2::Structure::find(message.structure());
  if (structure == nullptr || structure->group(name)) return;
  const std::vector<std::string_view> names = structure->group_names();
  std::string list;
  for (const std::string_view known : names)
    list += (list.empty() ? "" : ", ") + std::string(known);
  throw ScriptError("L221", "the structure " + std::string(structure->name()) + " has no group '" +
                                std::string(name.substr(0, 60)) + "'" + did_you_mean(name, names) +
                                "; it has " + list);
}

namespace {

// -- Iterators

// The only upvalue of an iterator over segments: those there were when the walk began.
struct SegmentList {
  std::uint64_t run;
  MessageBox* box;
  std::uint32_t count;
  std::uint32_t next;
  SegmentId segments[1];
};

int next_segment(lua_State* L) {
  auto& list = *static_cast<SegmentList*>(lua_touserdata(L, lua_upvalueindex(1)));
  check_alive(L, {Object::Kind::segment, list.run});
  if (list.next == list.count) return 0;
  push_segment(L, *list.box, list.segments[list.next++]);
  return 1;
}

// Upvalues: the list of groups, the last one given.
int next_group(lua_State* L) {
  const lua_Integer at = lua_tointeger(L, lua_upvalueindex(2)) + 1;
  lua_pushinteger(L, at);
  lua_replace(L, lua_upvalueindex(2));
  lua_rawgeti(L, lua_upvalueindex(1), at);
  return 1;
}

// -- Group

GroupObject& group_self(lua_State* L) {
  return checked_object<GroupObject>(L, 1, Object::Kind::group);
}

std::span<const SegmentId> segments_of(GroupObject& group) {
  return {group.segments(), group.count};
}

std::optional<SegmentId> find_in_group(GroupObject& group, std::string_view name,
                                       std::uint32_t nth) {
  const Message& message = group.box->read();
  for (const SegmentId segment : segments_of(group)) {
    if (message.name_of(segment) == name && --nth == 0) return segment;
  }
  return std::nullopt;
}

int group_each(lua_State* L) {
  GroupObject& group = group_self(L);
  const Message& message = group.box->read();
  Machine::of(L).work(L, group.count);
  std::vector<SegmentId> segments;
  const bool any = lua_isnoneornil(L, 2);
  const std::string_view name = any ? "" : segment_name_argument(L, 2);
  for (const SegmentId segment : segments_of(group)) {
    if (any || message.name_of(segment) == name) segments.push_back(segment);
  }
  push_segment_iterator(L, *group.box, segments);
  return 1;
}

int group_groups(lua_State* L) {
  GroupObject& group = group_self(L);
  const std::string_view name = string_argument(L, 2);
  const Message& message = group.box->read();
  check_group_name(message, name);
  Machine::of(L).work(L, group.count);
  const hl7v2::Group within{group.name, {group.segments(), group.segments() + group.count}};
  push_group_iterator(L, *group.box, message.groups(name, within));
  return 1;
}

constexpr Binding kGroupMembers[] = {
    {"name", "string", "`\"ORDER_OBSERVATION\"`."},
    {"each", "(name?: string): fun(): Segment",
     "Walks the segments of that name in the group, or all.", &guarded<group_each>},
    {"groups", "(name: string): fun(): Group", "Walks the groups inside this one.",
     &guarded<group_groups>},
};

Key resolve_group_key(lua_State*, std::string_view text) {
  if (const auto member = find_member(kGroupMembers, text)) return {Key::Kind::member, *member, {}};
  const auto path = Path::parse(text);
  if (path && path->segment[0] != 0 && path->segment_index != Path::kAll) {
    return {path->field == 0 ? Key::Kind::segment : Key::Kind::path, 0, *path};
  }
  if (path) {
    throw ScriptError("L220", "in a group a path begins with one segment: \"OBR-4.1\", not \"" +
                                  std::string(text) + "\"");
  }
  unknown_key("Group", kGroupMembers, text, path.error());
}

Path relative(const Path& path) {
  Path result = path;
  std::memset(result.segment, 0, sizeof(result.segment));
  result.segment_index = 1;
  return result;
}

int index_group(lua_State* L) {
  GroupObject& group = group_self(L);
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220",
                      "a group is read by path, order[\"OBR-4.1\"], or by segment, order.OBR");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_group_key);
  if (key.kind == Key::Kind::member) {
    if (const lua_CFunction function = kGroupMembers[key.member].function) {
      lua_pushcfunction(L, function);
    } else {
      push(L, group.name);
    }
    return 1;
  }
  const auto segment = find_in_group(group, key.path.segment_name(), key.path.segment_index);
  if (key.kind == Key::Kind::segment) {
    PlaceObject& object = new_place(L, Object::Kind::segment, *group.box);
    object.present = segment.has_value();
    object.place.segment = segment.value_or(0);
    std::memcpy(object.name, key.path.segment, sizeof(key.path.segment));
    return 1;
  }
  if (!segment) return 0;
  const Message& message = group.box->read();
  const auto place = message.locate(relative(key.path), *segment);
  if (!place) return 0;
  push_text(L, message, *place);
  return 1;
}

int assign_group(lua_State* L) {
  GroupObject& group = group_self(L);
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220", "a group is written by path: order[\"OBR-4.1\"] = value");
  }
  const Key key = LuaRuntime::of(L).keys().find(L, 2, &resolve_group_key);
  if (key.kind != Key::Kind::path) {
    throw ScriptError("L222", "'" + std::string(view_at(L, 2)) +
                                  "' of a group cannot be assigned: write a field, "
                                  "order[\"OBR-4.1\"] = value");
  }
  const auto segment = find_in_group(group, key.path.segment_name(), key.path.segment_index);
  if (!segment) {
    throw ScriptError("L222", "this group has no " + std::string(key.path.segment_name()) +
                                  " segment to write to: add one with msg:add(…)");
  }
  PlaceObject object{};
  object.box = group.box;
  object.present = true;
  object.place.segment = *segment;
  write_in_segment(L, object, relative(key.path));
  return 0;
}

}  // namespace

void push_segment_iterator(lua_State* L, MessageBox& box, std::span<const SegmentId> segments) {
  auto* list = static_cast<SegmentList*>(
      lua_newuserdatauv(L, sizeof(SegmentList) + segments.size_bytes(), 0));
  list->run = LuaRuntime::of(L).session().serial;
  list->box = &box;
  list->count = static_cast<std::uint32_t>(segments.size());
  list->next = 0;
  std::copy(segments.begin(), segments.end(), list->segments);
  lua_pushcclosure(L, &guarded<next_segment>, 1);
}

void push_group_iterator(lua_State* L, MessageBox& box, const std::vector<hl7v2::Group>& groups) {
  lua_createtable(L, static_cast<int>(groups.size()), 0);
  lua_Integer at = 0;
  for (const hl7v2::Group& group : groups) {
    auto* object = static_cast<GroupObject*>(new_object(
        L, Object::Kind::group, sizeof(GroupObject) + group.segments.size() * sizeof(SegmentId),
        LuaRuntime::of(L).session().serial));
    object->box = &box;
    object->name = group.name;
    object->count = static_cast<std::uint32_t>(group.segments.size());
    std::copy(group.segments.begin(), group.segments.end(), object->segments());
    lua_rawseti(L, -2, ++at);
  }
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, &guarded<next_group>, 2);
}

void open_group_object(lua_State* L) {
  open_object(L, Object::Kind::group, &guarded<index_group>, &guarded<assign_group>, nullptr);
}

Library group_object() {
  return {
      "Group", Library::Kind::object,
      "One occurrence of a group, such as an order with its results. `order[\"OBR-4.1\"]` reads "
      "and writes its segments, `order.OBR` is a Segment.",
      kGroupMembers};
}

}  // namespace cannula::script
