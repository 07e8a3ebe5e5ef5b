// hl7.*: messages that the script makes.
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"
#include "engine/script/registry.h"
#include "engine/script/time_text.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/continuation.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/structure.h"

namespace cannula::script {

namespace {

// Pushes the message of a text that the script wrote.
int push_written(lua_State* L, std::string text) {
  Session& session = LuaRuntime::of(L).session();
  Machine::of(L).work(L, text.size() / 4);
  charge(L, session, 2 * text.size() + 2048);
  MessageBox& box =
      session.messages.emplace_back(make_bytes(std::move(text)), nullptr, MessageBox::From::script);
  box.read();
  push_message(L, session, box);
  return 1;
}

int parse(lua_State* L) {
  return push_written(L, std::string(string_argument(L, 1)));
}

// Fields of MSH by the names that options have.
struct HeaderField {
  std::string_view name;
  std::uint32_t number;
  std::string value;
};

// The same each time a message is worked again, so that a receiver recognizes what it has; another
// for each message made, and for each answer that a run is about. FNV-1a in 13 characters: MSH-10
// has 20 up to version 2.6.
std::string control_id(Session& session) {
  std::string of = session.input.id;
  if (session.input.response) {
    of +=
        fmt::format("/{}/{}", session.input.response->destination, session.input.response->ordinal);
  }
  of += fmt::format("/{}", ++session.made_messages);
  std::uint64_t hash = 14695981039346656037u;
  for (const char letter : of) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 1099511628211u;
  }
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string id = "C";
  for (int shift = 60; shift >= 0; shift -= 5) id += kDigits[hash >> shift & 31];
  return id;
}

[[noreturn]] void refuse(const std::string& what) {
  throw ScriptError("L251", "hl7.new: " + what);
}

bool is_name(std::string_view text, std::size_t least, std::size_t most) {
  if (text.size() < least || text.size() > most) return false;
  for (const char letter : text) {
    if (!((letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9'))) return false;
  }
  return true;
}

// "ADT^A08" or "ADT^A08^ADT_A01" as MSH-9, with its structure when it is known.
std::string message_type(std::string_view text) {
  const std::size_t first = text.find('^');
  const std::string_view type = text.substr(0, first);
  std::string_view event = first == std::string_view::npos ? "" : text.substr(first + 1);
  const std::size_t second = event.find('^');
  const std::string_view structure =
      second == std::string_view::npos ? "" : event.substr(second + 1);
  event = event.substr(0, second);
  if (!is_name(type, 3, 3) || type.find_first_of("0123456789") != std::string_view::npos ||
      (!event.empty() && !is_name(event, 3, 3))) {
    refuse("'" + std::string(text.substr(0, 40)) +
           "' is not a message type, which is written as \"ADT^A08\" or \"ADT^A08^ADT_A01\"");
  }
  if (!structure.empty() || event.empty()) return std::string(text);
  const auto* known = hl7v2::Structure::of(type, event, "");
  return known == nullptr ? std::string(text)
                          : std::string(text) + "^" + std::string(known->name());
}

std::string time_option(lua_State* L, LuaRuntime& runtime) {
  std::int64_t moment = runtime.session().now;
  if (lua_type(L, -1) == LUA_TNUMBER) {
    const lua_Number seconds = lua_tonumber(L, -1);
    if (!(std::abs(seconds) < 2.5e11)) refuse("the time is a number of seconds since 1970");
    moment = std::llround(seconds * 1e6);
  } else if (!lua_isnil(L, -1)) {
    return std::string(text_value(L, -1, "the option 'time' of hl7.new").value_or(""));
  }
  return *format_time(moment, "%Y%m%d%H%M%S%z", runtime.timezone());
}

// hl7.new(type, options)
int make(lua_State* L) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  const std::string type = message_type(string_argument(L, 1));
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  if (lua_type(L, 2) != LUA_TTABLE) refuse("the options are a table, { version = \"2.5.1\" }");
  HeaderField fields[] = {{"sending_application", 3, ""},
                          {"sending_facility", 4, ""},
                          {"receiving_application", 5, ""},
                          {"receiving_facility", 6, ""},
                          {"time", 7, ""},
                          {"control_id", 10, ""},
                          {"processing_id", 11, "P"},
                          {"version", 12, "2.5.1"},
                          {"accept_ack", 15, ""},
                          {"application_ack", 16, ""},
                          {"country", 17, ""},
                          {"charset", 18, "UNICODE UTF-8"}};
  std::vector<std::string_view> names;
  for (const HeaderField& field : fields) names.push_back(field.name);
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    lua_pop(L, 1);
    const std::string_view name = lua_type(L, -1) == LUA_TSTRING ? view_at(L, -1) : "";
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      refuse("there is no option '" + std::string(name.substr(0, 40)) + "'" +
             did_you_mean(name, names));
    }
  }
  std::string text = "MSH|^~\\&";
  std::uint32_t at = 2;
  const hl7v2::Delimiters usual;
  for (HeaderField& field : fields) {
    push(L, field.name);
    lua_rawget(L, 2);
    if (field.name == "time") {
      field.value = time_option(L, runtime);
    } else if (const auto given = text_value(L, -1, "an option of hl7.new")) {
      // Components are welcome in addresses: "LAB^1.2.3^ISO".
      for (const char letter : *given) {
        if (static_cast<unsigned char>(letter) < ' ' || letter == usual.field) {
          refuse("the option '" + std::string(field.name) + "' has a | or a control character");
        }
      }
      field.value = *given;
    } else if (field.name == "control_id") {
      field.value = control_id(runtime.session());
    }
    lua_pop(L, 1);
    for (; at < field.number; ++at) {
      text += '|';
      if (at + 1 == 9) text += type;
    }
    text += field.value;
  }
  while (text.back() == '|') text.pop_back();
  return push_written(L, text + "\r");
}

int join(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  std::vector<hl7v2::Message> fragments;
  const lua_Integer count = luaL_len(L, 1);
  for (lua_Integer at = 1; at <= count; ++at) {
    lua_rawgeti(L, 1, at);
    if (lua_type(L, -1) == LUA_TSTRING) {
      push_written(L, std::string(view_at(L, -1)));
      lua_remove(L, -2);
    }
    fragments.push_back(
        checked_object<MessageObject>(L, lua_gettop(L), Object::Kind::message).box->read());
    lua_pop(L, 1);
  }
  auto joined = hl7v2::join(fragments);
  if (!joined) throw ScriptError("H503", joined.error().message + "; " + joined.error().hint);
  return push_written(L, *std::move(joined));
}

[[noreturn]] void refuse_batch(const std::string& what) {
  throw ScriptError("L252", "hl7.batch: " + what);
}

// The options of hl7.batch at 2.
struct BatchOptions {
  std::string name;
  std::string comment;
  std::string control_id;
  bool file = false;
};
BatchOptions batch_options(lua_State* L) {
  BatchOptions options;
  if (lua_isnoneornil(L, 2)) return options;
  if (lua_type(L, 2) != LUA_TTABLE) refuse_batch("the options are a table, { file = true }");
  static constexpr std::string_view kNames[] = {"name", "comment", "control_id", "file"};
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    if (name == "file") {
      if (lua_type(L, -1) != LUA_TBOOLEAN) refuse_batch("the option 'file' is true or false");
      options.file = lua_toboolean(L, -1) != 0;
    } else if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) {
      refuse_batch("there is no option '" + std::string(name.substr(0, 40)) + "'" +
                   did_you_mean(name, kNames));
    } else {
      std::string& text = name == "name"      ? options.name
                          : name == "comment" ? options.comment
                                              : options.control_id;
      text = text_value(L, -1, "an option of hl7.batch").value_or("");
    }
    lua_pop(L, 1);
  }
  return options;
}

// hl7.batch(messages, options)
int batch(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  LuaRuntime& runtime = LuaRuntime::of(L);
  BatchOptions options = batch_options(L);
  if (options.control_id.empty()) options.control_id = control_id(runtime.session());
  std::vector<std::string> texts;
  std::size_t size = 0;
  const lua_Integer count = luaL_len(L, 1);
  for (lua_Integer at = 1; at <= count; ++at) {
    lua_rawgeti(L, 1, at);
    if (lua_type(L, -1) == LUA_TSTRING) {
      texts.emplace_back(view_at(L, -1));
    } else {
      texts.push_back(
          checked_object<MessageObject>(L, lua_gettop(L), Object::Kind::message).box->encode());
    }
    lua_pop(L, 1);
    const std::string which = "message " + std::to_string(at);
    if (hl7v2::is_utf16(texts.back())) {
      refuse_batch(which +
                   " is in UTF-16, which cannot stand beside others; put tostring(msg) "
                   "into the batch, which is UTF-8");
    }
    if (auto header = hl7v2::Header::peek(texts.back()); !header) {
      refuse_batch(which + " is no HL7 v2 message: " + header.error().message);
    }
    size += texts.back().size();
    Machine::of(L).work(L, texts.back().size() / 4);
    charge(L, runtime.session(), 2 * texts.back().size());
  }
  if (texts.empty()) refuse_batch("there are no messages, and a batch is addressed as its first");
  const std::vector<std::string_view> messages(texts.begin(), texts.end());
  charge(L, runtime.session(), size + 1024);
  push(L, hl7v2::build_batch(
              messages, {runtime.session().now, options.control_id, options.comment, options.name},
              options.file));
  return 1;
}

constexpr Binding kFunctions[] = {
    {"parse", "(text: string): Message", "Reads a message; an error when the text is none.",
     &guarded<parse>},
    {"new", "(type: string, options?: table): Message",
     "A message with MSH alone: `hl7.new(\"ADT^A08\")`. MSH-7 is now, in the channel's time zone; "
     "MSH-10 is unique, and the same when the received message is worked again; the version is "
     "2.5.1, MSH-18 `UNICODE UTF-8`. Options: `version`, `sending_application`, "
     "`sending_facility`, `receiving_application`, `receiving_facility`, `time` (seconds or "
     "text), `control_id`, `processing_id`, `accept_ack`, `application_ack`, `country`, `charset` "
     "(as MSH-18 names it; \"\" leaves it out).",
     &guarded<make>},
    {"join", "(fragments: (Message|string)[]): Message",
     "Makes one message of the pieces of a long one, by DSC-1 and MSH-14, in any order, and puts "
     "the text of ADD segments where it belongs. An error when a piece is missing.",
     &guarded<join>},
    {"batch", "(messages: (Message|string)[], options?: table): string",
     "One payload of many messages: BHS, the messages as they would be sent, and BTS with their "
     "count, addressed as the first message is: `send(\"ehr\", hl7.batch{ first, second })`. "
     "BHS-11 is unique, and the same when the received message is worked again. Options: `file` "
     "(true puts FHS and FTS around it), `name` (BHS-9), `comment` (BTS-2), `control_id`.",
     &guarded<batch>},
};

}  // namespace

Library hl7_library() {
  return {"hl7", Library::Kind::table, "HL7 v2 messages made by the script.", kFunctions};
}

}  // namespace cannula::script
