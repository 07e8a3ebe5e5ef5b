#include "engine/script/message_objects.h"

#include <cstring>
#include <string>

#include "engine/script/exchange_objects.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"
#include "engine/script/places.h"
#include "engine/script/registry.h"
#include "parsers/hl7v2/diff.h"
#include "parsers/hl7v2/structure.h"
#include "parsers/hl7v2/validation/validation.h"

namespace cannula::script {

namespace {

using hl7v2::Message;
using hl7v2::Path;
using hl7v2::SegmentId;

MessageBox& self(lua_State* L) {
  return *checked_object<MessageObject>(L, 1, Object::Kind::message).box;
}

// The segments named by argument 2, all when it is absent, as an iterator of Segment objects.
int each(lua_State* L) {
  MessageBox& box = self(L);
  const Message& message = box.read();
  count_work(L, message);
  std::vector<SegmentId> segments;
  if (lua_isnoneornil(L, 2)) {
    for (std::size_t at = 0; at < message.segment_count(); ++at) {
      segments.push_back(message.segment_at(at));
    }
  } else {
    segments = message.each(segment_name_argument(L, 2));
  }
  push_segment_iterator(L, box, segments);
  return 1;
}

int count(lua_State* L) {
  const Message& message = self(L).read();
  count_work(L, message);
  lua_pushinteger(L, static_cast<lua_Integer>(message.count(segment_name_argument(L, 2))));
  return 1;
}

int groups(lua_State* L) {
  MessageBox& box = self(L);
  const std::string_view name = string_argument(L, 2);
  check_group_name(box.read(), name);
  count_work(L, box.read());
  push_group_iterator(L, box, box.read().groups(name));
  return 1;
}

int all(lua_State* L) {
  const Message& message = self(L).read();
  count_work(L, message);
  const std::vector<std::string> texts = message.get_all(path_argument(L, 2));
  lua_createtable(L, static_cast<int>(texts.size()), 0);
  lua_Integer at = 0;
  for (const std::string& text : texts) {
    push(L, text);
    lua_rawseti(L, -2, ++at);
  }
  return 1;
}

int is_null(lua_State* L) {
  const Message& message = self(L).read();
  lua_pushboolean(L, message.is_null(path_argument(L, 2)));
  return 1;
}

// The segment before the one named by { before = segment }.
SegmentId before_option(lua_State* L, int index, MessageBox& box) {
  const SegmentId segment = segment_argument(L, index, box).place.segment;
  const auto position = box.read().position_of(segment);
  if (!position) throw ScriptError("L222", "the segment was removed from its message");
  if (*position == 0) throw ScriptError("L222", "nothing can be added before MSH");
  return box.read().segment_at(*position - 1);
}

// Where to add: a segment, { after = segment } or { before = segment }; nullopt: at the end.
std::optional<SegmentId> place_to_add(lua_State* L, MessageBox& box) {
  if (lua_isnoneornil(L, 3)) return std::nullopt;
  if (lua_type(L, 3) != LUA_TTABLE) return segment_argument(L, 3, box).place.segment;
  std::optional<SegmentId> after;
  lua_pushnil(L);
  while (lua_next(L, 3) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    if (name == "after") {
      after = segment_argument(L, lua_gettop(L), box).place.segment;
    } else if (name == "before") {
      after = before_option(L, lua_gettop(L), box);
    } else {
      throw ScriptError("L210", "add has no option '" + std::string(name.substr(0, 60)) +
                                    "'; it has after and before, each a segment of the message");
    }
    lua_pop(L, 1);
  }
  return after;
}

int add(lua_State* L) {
  MessageBox& box = self(L);
  const std::string_view text = string_argument(L, 2);
  const std::optional<SegmentId> after = place_to_add(L, box);
  charge(L, LuaRuntime::of(L).session(), text.size() + 512);
  count_work(L, box.read());
  box.check_writable(text);
  const auto added = box.edit().add_segment(text, after);
  if (!added) throw ScriptError("L222", added.error().text());
  push_segment(L, box, *added);
  return 1;
}

int remove(lua_State* L) {
  MessageBox& box = self(L);
  const PlaceObject& segment = segment_argument(L, 2, box);
  count_work(L, box.read());
  const auto removed = box.edit().remove_segment(segment.place.segment);
  if (!removed) throw ScriptError("L222", removed.error().text());
  return 0;
}

int node(lua_State* L) {
  push_node(L, self(L), path_argument(L, 2), nullptr);
  return 1;
}

int copy(lua_State* L) {
  MessageBox& box = self(L);
  const Message& message = box.read();
  Session& session = LuaRuntime::of(L).session();
  charge(L, session, sizeof(MessageBox) + (message.edited() ? message.received()->size() : 0));
  push_message(L, session, session.messages.emplace_back(box.copy()));
  return 1;
}

// The paths of { ignore = { "MSH-7" } }.
hl7v2::DiffOptions diff_options(lua_State* L, int index) {
  hl7v2::DiffOptions options;
  if (lua_isnoneornil(L, index)) return options;
  luaL_checktype(L, index, LUA_TTABLE);
  if (lua_getfield(L, index, "ignore") == LUA_TTABLE) {
    const lua_Integer count = luaL_len(L, -1);
    for (lua_Integer at = 1; at <= count; ++at) {
      lua_rawgeti(L, -1, at);
      options.ignore.push_back(path_argument(L, lua_gettop(L)));
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return options;
}

int diff(lua_State* L) {
  const Message& before = self(L).read();
  const Message& after = checked_object<MessageObject>(L, 2, Object::Kind::message).box->read();
  Machine::of(L).work(L, (before.received()->size() + after.received()->size()) / 4);
  const auto differences = hl7v2::diff(before, after, diff_options(L, 3));
  constexpr std::string_view kKinds[] = {"added", "removed", "changed"};
  lua_createtable(L, static_cast<int>(differences.size()), 0);
  lua_Integer at = 0;
  const auto set = [L](const char* name, std::string_view text) {
    push(L, text);
    lua_setfield(L, -2, name);
  };
  for (const hl7v2::Difference& difference : differences) {
    lua_createtable(L, 0, 4);
    set("kind", kKinds[static_cast<std::size_t>(difference.kind)]);
    set("path", difference.path.text());
    set("before", difference.before);
    set("after", difference.after);
    lua_rawseti(L, -2, ++at);
  }
  return 1;
}

// The rules of { profile = "lab", version = "2.5.1" }, with the site's Z segments.
hl7v2::ValidationRules validation_rules(lua_State* L, int index,
                                        const rules::Resources& resources) {
  hl7v2::ValidationRules rules;
  rules.site_segments = resources.segments.get();
  rules.limit = 200;  // each becomes a table of the script
  if (lua_isnoneornil(L, index)) return rules;
  luaL_checktype(L, index, LUA_TTABLE);
  if (lua_getfield(L, index, "profile") != LUA_TNIL) {
    const std::string_view name = string_argument(L, lua_gettop(L));
    const auto found = resources.profiles.find(name);
    if (found == resources.profiles.end()) {
      throw ScriptError("L222", "there is no profile '" + std::string(name) + "': hl7/" +
                                    std::string(name) + ".profile is missing or has errors");
    }
    rules.profiles.push_back(found->second.get());
  }
  if (lua_getfield(L, index, "version") != LUA_TNIL) {
    rules.version = hl7v2::version_of(string_argument(L, lua_gettop(L)));
    if (!rules.version) throw ScriptError("L222", "there is no such version; 2.1 to 2.8 are known");
  }
  lua_pop(L, 2);
  return rules;
}

int validate(lua_State* L) {
  const Message& message = self(L).read();
  const auto resources = LuaRuntime::of(L).session().resources;
  const hl7v2::ValidationRules rules = validation_rules(L, 2, *resources);
  Machine::of(L).work(L, message.received()->size() * 2);
  const auto findings = hl7v2::validate(message, rules);
  lua_createtable(L, static_cast<int>(findings.size()), 0);
  lua_Integer at = 0;
  const auto set = [L](const char* name, std::string_view text) {
    push(L, text);
    lua_setfield(L, -2, name);
  };
  for (const hl7v2::Finding& finding : findings) {
    lua_createtable(L, 0, 7);
    set("severity", finding.severity == Severity::error     ? "error"
                    : finding.severity == Severity::warning ? "warning"
                                                            : "note");
    set("code", finding.code);
    set("path", finding.path);
    set("group_path", finding.group_path);
    set("text", finding.message);
    set("condition", finding.condition);
    set("location", hl7v2::error_location(finding, message));
    lua_rawseti(L, -2, ++at);
  }
  return 1;
}

int encode(lua_State* L) {
  MessageBox& box = self(L);
  Machine::of(L).work(L, box.read().received()->size() / 16);
  push(L, box.encode());
  return 1;
}

constexpr Binding kMembers[] = {
    {"type", "string", "`MSH-9.1` and `MSH-9.2`: `\"ORU^R01\"`."},
    {"structure", "string", "The message structure, `\"ORU_R01\"`; empty when it is not known."},
    {"id", "string?", "The engine's id of the received message; nil for others."},
    {"partner", "string?", "Who sent the received message; nil for others."},
    {"received_at", "number?", "When it was received, as `time.now()` counts; nil for others."},
    {"raw", "string",
     "The bytes as received, in their own character set, whatever was edited since."},
    {"request", "Request?", "Of a message that came by HTTP, what it was asked with; else nil."},
    {"each", "(name?: string): fun(): Segment",
     "Walks the segments of that name in order, or all: `for obx in msg:each(\"OBX\") do … end`.",
     &guarded<each>},
    {"groups", "(name: string): fun(): Group",
     "Walks the occurrences of a group of the message structure, such as `ORDER_OBSERVATION`.",
     &guarded<groups>},
    {"all", "(path: string): string[]", "All populated values of a path with `[*]`.",
     &guarded<all>},
    {"count", "(name: string): integer", "How many segments of that name there are.",
     &guarded<count>},
    {"isnull", "(path: string): boolean",
     "Whether HL7 null, `\"\"`, stands there: delete what you have.", &guarded<is_null>},
    {"add", "(text: string, place?: Segment|table): Segment",
     "Adds a segment, `\"NTE\"` or `\"NTE|1||text\"`, at the end, or where "
     "`{ after = segment }` or `{ before = segment }` says; a Segment alone means after it.",
     &guarded<add>},
    {"remove", "(segment: Segment)", "Removes a segment.", &guarded<remove>},
    {"node", "(path: string): Node", "The place of a path as a Node: `msg:node(\"PID-3[2]\")`.",
     &guarded<node>},
    {"copy", "(): Message", "A copy that is edited on its own.", &guarded<copy>},
    {"diff", "(other: Message, options?: table): table[]",
     "What `other` has otherwise: a list of tables with `kind` (`\"added\"`, `\"removed\"`, "
     "`\"changed\"`), `path`, `before` and `after`. The same value with other escapes or "
     "delimiters is no difference. `{ ignore = { \"MSH-7\" } }` leaves places out.",
     &guarded<diff>},
    {"validate", "(options?: table): table[]",
     "What the standard, the site's Z segments and, with `{ profile = \"lab\" }`, "
     "`hl7/lab.profile` do not allow: a list of tables with `severity` (`\"error\"`, "
     "`\"warning\"`, `\"note\"`), `code`, `path`, `group_path`, `text`, and `condition` and "
     "`location` as ERR-3 and ERR-2 take them. `{ version = \"2.5.1\" }` goes before MSH-12. At "
     "most 200.",
     &guarded<validate>},
    {"encode", "(): string",
     "The bytes of the message as it would be sent now, in its own character set.",
     &guarded<encode>},
};
enum Property { kType, kStructure, kId, kPartner, kReceivedAt, kRaw, kRequest };

bool is_lower(char letter) {
  return letter >= 'a' && letter <= 'z';
}

// "PID-3.1", "PID", "OBX[2]", or a member.
Key resolve_key(lua_State*, std::string_view text) {
  if (const auto member = find_member(kMembers, text)) return {Key::Kind::member, *member, {}};
  const auto path = Path::parse(text);
  // msg.typ is a slip, not a segment TYP.
  if (path && path->field == 0 && std::any_of(text.begin(), text.end(), is_lower)) {
    unknown_member("Message", kMembers, text);
  }
  if (path && path->segment[0] != 0) {
    return {path->field == 0 ? Key::Kind::segment : Key::Kind::path, 0, *path};
  }
  if (path) {
    throw ScriptError("L220", "the path '" + std::string(text) +
                                  "' needs a segment in front here: \"PID-" + std::string(text) +
                                  "\"");
  }
  unknown_key("Message", kMembers, text, path.error());
}

int push_property(lua_State* L, MessageBox& box, int property) {
  const Input& input = LuaRuntime::of(L).session().input;
  switch (property) {
    case kType:
      push(L, box.read().type());
      return 1;
    case kStructure:
      push(L, box.read().structure());
      return 1;
    case kRaw:
      push(L, *box.bytes());
      return 1;
    default:
      break;
  }
  if (!box.received()) {
    lua_pushnil(L);
  } else if (property == kRequest) {
    push_request(L, input);
  } else if (property == kReceivedAt) {
    lua_pushnumber(L, static_cast<lua_Number>(input.received_at) / 1e6);
  } else {
    push(L, property == kId ? input.id : input.partner);
  }
  return 1;
}

int index(lua_State* L) {
  MessageBox& box = self(L);
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220",
                      "a message is read by path, msg[\"PID-3.1\"], or by segment, msg.PID");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_key);
  switch (key.kind) {
    case Key::Kind::path: {
      const Message& message = box.read();
      count_work(L, message);
      push_text(L, message.get(key.path));
      return 1;
    }
    case Key::Kind::segment: {
      push_segment_of(L, box, key.path);
      return 1;
    }
    default:
      break;
  }
  if (const lua_CFunction function = kMembers[key.member].function) {
    lua_pushcfunction(L, function);
    return 1;
  }
  return push_property(L, box, key.member);
}

int assign(lua_State* L) {
  MessageBox& box = self(L);
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220", "a message is written by path: msg[\"PID-3.1\"] = value");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_key);
  if (key.kind != Key::Kind::path) {
    throw ScriptError("L222",
                      "'" + std::string(view_at(L, 2)) +
                          "' cannot be assigned: write a field, msg[\"PID-3.1\"] = value, or "
                          "add a segment, msg:add(\"NTE|1\")");
  }
  const Path path = key.path;
  write_path(L, box, path, text_value(L, 3, "a path"));
  return 0;
}

// For people and logs: UTF-8.
int to_string(lua_State* L) {
  const Message& message = self(L).read();
  Machine::of(L).work(L, message.received()->size() / 16);
  push(L, message.encode());
  return 1;
}

}  // namespace

void open_message_objects(lua_State* L) {
  lua_createtable(L, 0, 6);
  lua_pushcfunction(L, &guarded<index>);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, &guarded<assign>);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, &guarded<to_string>);
  lua_setfield(L, -2, "__tostring");
  set_object_metatable(L, Object::Kind::message);

  open_place_objects(L);
}

Library message_object() {
  return {
      "Message", Library::Kind::object,
      "An HL7 v2 message. `msg[\"PID-3.1\"]` reads a string, or nil where nothing stands; "
      "`msg[\"PID-3[1].4\"] = \"GEN\"` writes, nil clears, and what is missing is made. "
      "`msg.PID` is a Segment. Texts are UTF-8 whatever MSH-18 says, and leave in the message's "
      "own character set; a character that it does not have is an error. `msg[\"MSH-18\"] = "
      "\"UNICODE UTF-8\"` converts the message.",
      kMembers};
}

}  // namespace cannula::script
