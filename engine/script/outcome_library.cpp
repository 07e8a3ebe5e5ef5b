// send, skip, park, reject: what becomes of the message.
#include <algorithm>
#include <map>
#include <string>

#include "engine/script/document_objects.h"
#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/modules.h"
#include "engine/script/objects.h"
#include "engine/script/opaque.h"
#include "engine/script/registry.h"
#include "engine/script/values.h"

namespace cannula::script {

namespace {

std::string names_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

const std::string& destination_argument(lua_State* L, const Program& program) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    throw ScriptError(
        "L212", std::string("the name of a destination comes first, not a ") + luaL_typename(L, 1));
  }
  const std::string_view wanted = view_at(L, 1);
  for (const std::string& name : program.destinations) {
    if (name == wanted) return name;
  }
  const std::vector<std::string_view> names(program.destinations.begin(),
                                            program.destinations.end());
  throw ScriptError("L212", "there is no destination '" + std::string(wanted.substr(0, 60)) + "'" +
                                did_you_mean(wanted, names) +
                                "; this channel has: " + names_of(program.destinations));
}

// Null for the received document, unchanged.
Bytes document_payload(lua_State* L) {
  const Object* object = object_at(L, 2);
  if (object->kind == Object::Kind::document) {
    auto& document = checked_object<DocumentObject>(L, 2, Object::Kind::document);
    if (document.box->received() && document.box->edits == 0) return nullptr;
  }
  return make_bytes(json_text(L, 2));
}

Bytes payload_argument(lua_State* L) {
  if (lua_type(L, 2) == LUA_TSTRING) return make_bytes(std::string(view_at(L, 2)));
  const Object* object = object_at(L, 2);
  if (object != nullptr && object->kind == Object::Kind::message) {
    return checked_object<MessageObject>(L, 2, Object::Kind::message).box->payload();
  }
  if (object != nullptr && object->kind == Object::Kind::phi) {
    return make_bytes(std::string(phi_text(L, 2)));
  }
  if (is_document(L, 2)) return document_payload(L);
  throw ScriptError("L213",
                    std::string("send takes a message, a document or a string as payload, not ") +
                        (object != nullptr ? name_of(object->kind) : luaL_typename(L, 2)));
}

// "method" and the others of HTTP, as a member of Send::attributes.
void add_attribute(lua_State* L, std::string_view name, std::string& attributes) {
  attributes += attributes.empty() ? "{" : ",";
  append_json_string(attributes, name);
  attributes += ':';
  if (name != "headers") {
    append_json_string(
        attributes,
        text_value(L, -1, "the option '" + std::string(name) + "' of send").value_or(""));
    return;
  }
  if (lua_type(L, -1) != LUA_TTABLE) {
    throw ScriptError("L214",
                      "the option 'headers' of send is a table, { [\"X-Name\"] = \"value\" }");
  }
  std::map<std::string, std::string> headers;
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) throw ScriptError("L214", "a header has a name");
    headers[std::string(view_at(L, -2))] = text_value(L, -1, "a header").value_or("");
    lua_pop(L, 1);
  }
  std::string separator = "{";
  for (const auto& [header, value] : headers) {
    attributes += separator;
    append_json_string(attributes, header);
    attributes += ':';
    append_json_string(attributes, value);
    separator = ",";
  }
  attributes += headers.empty() ? "{}" : "}";
}

// { "Observation/123", "" }, as created() gives it.
void add_updates(lua_State* L, std::string& attributes) {
  if (lua_type(L, -1) != LUA_TTABLE) {
    throw ScriptError("L214",
                      "the option 'updates' of send is what created() gives, a table of texts");
  }
  const lua_Integer count = static_cast<lua_Integer>(lua_rawlen(L, -1));
  attributes += attributes.empty() ? "{\"updates\":[" : ",\"updates\":[";
  for (lua_Integer i = 1; i <= count; ++i) {
    if (i > 1) attributes += ',';
    lua_rawgeti(L, -1, i);
    append_json_string(attributes, text_value(L, -1, "what is to be updated").value_or(""));
    lua_pop(L, 1);
  }
  attributes += ']';
}

void read_options(lua_State* L, Send& send) {
  if (lua_isnoneornil(L, 3)) return;
  if (lua_type(L, 3) != LUA_TTABLE) {
    throw ScriptError("L214",
                      std::string("send takes its options as a table, { key = … }, not a ") +
                          luaL_typename(L, 3));
  }
  constexpr std::string_view kOptions[] = {"key",  "priority", "always",       "method",
                                           "path", "headers",  "content_type", "updates"};
  lua_pushnil(L);
  while (lua_next(L, 3) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    if (name == "key") {
      if (const auto key = text_value(L, -1, "the option 'key' of send")) send.key = *key;
    } else if (name == "priority") {
      if (lua_type(L, -1) != LUA_TSTRING || view_at(L, -1) != "stat") {
        throw ScriptError("L214", "the option 'priority' of send is \"stat\" or absent");
      }
      send.stat = true;
    } else if (name == "always") {
      if (lua_type(L, -1) != LUA_TBOOLEAN) {
        throw ScriptError("L214", "the option 'always' of send is true or false");
      }
      send.always = lua_toboolean(L, -1) != 0;
    } else if (name == "updates") {
      add_updates(L, send.attributes);
    } else if (std::find(std::begin(kOptions), std::end(kOptions), name) != std::end(kOptions)) {
      add_attribute(L, name, send.attributes);
    } else {
      throw ScriptError("L214", "send has no option '" + std::string(name.substr(0, 60)) + "'" +
                                    did_you_mean(name, kOptions) +
                                    "; it has key, priority, always, method, path, headers, "
                                    "content_type and updates");
    }
    lua_pop(L, 1);
  }
  if (!send.attributes.empty()) send.attributes += '}';
}

// created(destination, n): a table, empty when nothing was created before.
int created(lua_State* L) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  const std::string& destination = destination_argument(L, runtime.program());
  const lua_Integer n = lua_isnoneornil(L, 2) ? 1 : lua_tointeger(L, 2);
  if (n < 1) throw ScriptError("L214", "created takes the number of a delivery, from 1");
  const auto before = runtime.host().delivered_before(runtime.session().input.id, destination,
                                                      static_cast<std::size_t>(n));
  if (!before) throw ScriptError(before.error().code, before.error().text());
  lua_newtable(L);
  if (before->empty()) return 1;
  const auto attributes = tree::Document::parse(make_bytes(*before));
  if (!attributes) return 1;
  lua_Integer i = 0;
  for (tree::Node one = attributes->root().member("created").first(); one; one = one.next()) {
    const std::string reference = one.text();
    lua_pushlstring(L, reference.data(), reference.size());
    lua_rawseti(L, -2, ++i);
  }
  return 1;
}

int send(lua_State* L) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  Session& session = runtime.session();
  Send send;
  send.destination = destination_argument(L, runtime.program());
  send.payload = payload_argument(L);
  read_options(L, send);
  const std::size_t size = send.payload ? send.payload->size() : 0;
  runtime.machine().work(L, size / 16);
  charge(L, session,
         sizeof(Send) + size + send.attributes.size() + (send.key ? send.key->size() : 0));
  session.sends.push_back(std::move(send));
  return 0;
}

// Ends the run as `kind`: thrown through everything, like a limit.
int end_run(lua_State* L, Conclusion::Kind kind, const char* name) {
  Session& session = LuaRuntime::of(L).session();
  const auto reason = text_value(L, 1, std::string("the reason of ") + name);
  if (!reason || reason->empty()) {
    throw ScriptError("L216", std::string(name) + " needs a reason: " + name +
                                  "(\"why\") is shown to those who look for the message later");
  }
  if (kind == Conclusion::Kind::rejected && session.input.response) {
    throw ScriptError("L216",
                      "reject is for main: the message was accepted long before a "
                      "destination answered. Use park(reason)");
  }
  session.end = kind;
  session.end_reason = reason->substr(0, 2000);
  Machine::of(L).stop(L, Machine::Stop::ended, "");
}

int skip(lua_State* L) {
  return end_run(L, Conclusion::Kind::skipped, "skip");
}
// { until_mapped = true }
bool until_mapped_option(lua_State* L, const Session& session) {
  if (lua_isnoneornil(L, 2)) return false;
  if (lua_type(L, 2) != LUA_TTABLE) {
    throw ScriptError("L214",
                      std::string("park takes its options as a table, { until_mapped = true }, "
                                  "not a ") +
                          luaL_typename(L, 2));
  }
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    if (name != "until_mapped") {
      throw ScriptError("L214", "park has no option '" + std::string(name.substr(0, 60)) +
                                    "'; it has until_mapped");
    }
    lua_pop(L, 1);
  }
  lua_getfield(L, 2, "until_mapped");
  const bool wanted = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  if (wanted && session.misses.empty()) {
    throw ScriptError("L214",
                      "park with until_mapped waits for rows that lookup did not find, but "
                      "no lookup of this message missed");
  }
  return wanted;
}

int park(lua_State* L) {
  Session& session = LuaRuntime::of(L).session();
  session.until_mapped = until_mapped_option(L, session);
  return end_run(L, Conclusion::Kind::parked, "park");
}
int reject(lua_State* L) {
  return end_run(L, Conclusion::Kind::rejected, "reject");
}

constexpr Binding kBindings[] = {
    {"send",
     "(destination: string, payload: Message|Document|Transaction|string, options?: SendOptions)",
     "Hands the payload to a destination of this channel when the script has finished; after an "
     "error, `skip`, `park` or `reject` only what was sent with `always = true` goes, such as what "
     "a person has to see whatever becomes of the message. A message that was not edited is sent "
     "byte for byte as received. "
     "`key` sets the order key at the destination, `priority = \"stat\"` goes first; "
     "`method`, `path`, `headers` and `content_type` are of HTTP destinations; `updates`, of FHIR "
     "destinations, is what `created()` gives: these are updated instead of created.",
     &guarded<send>},
    {"created", "(destination: string, n?: integer): table",
     "What the n-th (first) delivery of this message to a FHIR destination created when it was "
     "made "
     "before, as `{\"Observation/123\"}`, one for each entry of a bundle, `\"\"` for those that "
     "created nothing. Empty unless a person sent the message again, or edited it.",
     &guarded<created>},
    {"skip", "(reason: string)",
     "Ends the message: nothing is to be done with it. Nothing is sent, but for what goes "
     "`always`.",
     &guarded<skip>},
    {"park", "(reason: string, options?: ParkOptions)",
     "Ends the run: the message waits for a person and is run again when they release it. With "
     "`until_mapped = true` it is also run again by itself, when there is a row for every key that "
     "`lookup` did not find in this run; an error when it found them all.",
     &guarded<park>},
    {"reject", "(reason: string)",
     "Ends the message: it should not have been sent to this channel. Not in on_response.",
     &guarded<reject>},
    {"require", "(name: string): any",
     "What the module lib/NAME.lua of the site returns. It is run once; `true` when it returns "
     "nothing.",
     &guarded<require_module>},
    {"phi", "(value: string|number|nil): phi?",
     "Marks a value as patient data: it prints as `***` in logs. It can be written into a message, "
     "sent, used as a key, and joined with `..`, which gives phi again.",
     &guarded<make_phi>},
    {"secret", "(name: string): secret",
     "A secret that site.toml names, for the engine's functions that take one. Prints as `***`.",
     &guarded<make_secret>},
};

}  // namespace

Library outcome_library() {
  return {"Routing", Library::Kind::globals,
          "`main(msg)` is called for each message, `on_response(msg, destination, response)`, when "
          "the script defines it, for each answer of a destination.",
          kBindings};
}

}  // namespace cannula::script
