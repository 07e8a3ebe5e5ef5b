// Segment, Node and Group objects, and what the message objects share with them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/script/key_cache.h"
#include "engine/script/objects.h"
#include "engine/script/registry.h"
#include "parsers/hl7v2/message.h"

namespace cannula::script {

// A Segment (no field named) or a Node. What is not there is a place too: it reads as empty, and
// writing makes it.
struct PlaceObject : Object {
  MessageBox* box;
  bool present;        // the segment stands in the message
  hl7v2::Place place;  // without a segment when it is not present
  char name[4];        // of the segment that is not present
  std::uint32_t nth;   // which of that name; 0: it cannot be made, as in a group
};

struct GroupObject : Object {
  MessageBox* box;
  std::string_view name;  // static storage
  std::uint32_t count;
  hl7v2::SegmentId* segments() { return reinterpret_cast<hl7v2::SegmentId*>(this + 1); }
};

void open_place_objects(lua_State* L);
void open_group_object(lua_State* L);
// Makes the metatable of a kind; `text` may be null.
void open_object(lua_State* L, Object::Kind kind, lua_CFunction index, lua_CFunction assign,
                 lua_CFunction text);

// Pushes a Segment or Node that is not present yet.
PlaceObject& new_place(lua_State* L, Object::Kind kind, MessageBox& box);
// Writes argument 3 to a path relative to the segment.
void write_in_segment(lua_State* L, const PlaceObject& object, const hl7v2::Path& path);

// Writes a Node; one that is not there yet is made.
void write_node(lua_State* L, const PlaceObject& node, std::optional<std::string_view> text);
// A Node of the place that a path leads to; with `base` a path relative to that segment.
void push_node(lua_State* L, MessageBox& box, const hl7v2::Path& path, const PlaceObject* base);

void push_text(lua_State* L, const std::optional<std::string>& text);
void push_text(lua_State* L, const hl7v2::Message& message, const hl7v2::Place& place);
void push_segment(lua_State* L, MessageBox& box, hl7v2::SegmentId segment);
void push_segment_of(lua_State* L, MessageBox& box, const hl7v2::Path& path);
void push_segment_iterator(lua_State* L, MessageBox& box,
                           std::span<const hl7v2::SegmentId> segments);
void push_group_iterator(lua_State* L, MessageBox& box, const std::vector<hl7v2::Group>& groups);

void write_path(lua_State* L, MessageBox& box, const hl7v2::Path& path,
                std::optional<std::string_view> text);

std::string_view segment_name_argument(lua_State* L, int index);
hl7v2::Path path_argument(lua_State* L, int index);
// A Segment of the message in `box` that stands in it.
PlaceObject& segment_argument(lua_State* L, int index, MessageBox& box);
// Throws, with a suggestion, when the message's structure is known and has no such group.
void check_group_name(const hl7v2::Message& message, std::string_view name);

// Looking for a segment passes those before it; a message may have a million.
void count_work(lua_State* L, const hl7v2::Message& message);

std::optional<int> find_member(std::span<const Binding> members, std::string_view name);
[[noreturn]] void unknown_member(std::string_view object, std::span<const Binding> members,
                                 std::string_view name);
// The same for objects that also take paths: `why` is how reading it as a path failed.
[[noreturn]] void unknown_key(std::string_view object, std::span<const Binding> members,
                              std::string_view text, const Error& why);

}  // namespace cannula::script
