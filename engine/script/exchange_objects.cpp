#include "engine/script/exchange_objects.h"

#include <string>

#include "engine/script/document_objects.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/message_objects.h"
#include "engine/script/objects.h"
#include "engine/script/places.h"
#include "engine/script/registry.h"
#include "engine/script/values.h"

namespace cannula::script {

namespace {

constexpr Binding kRequestMembers[] = {
    {"method", "string", "`\"POST\"`."},
    {"path", "string", "The path, decoded, without the query."},
    {"target", "string", "Path and query as they came."},
    {"query", "table<string, string>", "The query's values by name."},
    {"headers", "table<string, string>", "By names in small letters."},
};

// One member of a JSON object, or nil.
void push_attribute(lua_State* L, const std::string& attributes, std::string_view wanted) {
  if (attributes.empty()) return lua_pushnil(L);
  push_json(L, attributes);
  push(L, wanted);
  lua_rawget(L, -2);
}

// The answer's document; nil when it is not JSON.
void push_response_document(lua_State* L, Session& session) {
  const Response& response = *session.input.response;
  if (!response.body || !DocumentBox::looks_like_json(*response.body)) return lua_pushnil(L);
  if (session.response_document == nullptr) {
    charge(L, session, sizeof(DocumentBox));
    session.response_document = &session.documents.emplace_back(
        response.body, DocumentBox::From::destination, Machine::of(L).limits().memory);
  }
  try {
    session.response_document->read();
  } catch (const ScriptError&) {
    return lua_pushnil(L);
  }
  charge(L, session, *session.response_document);
  push_document(L, session, *session.response_document);
}

constexpr Binding kResponseMembers[] = {
    {"text", "string?", "What the destination answered, as it came; nil when nothing came back."},
    {"message", "Message?", "The answer as an HL7 v2 message; nil when nothing came back."},
    {"document", "Document?", "The answer as a Document; nil when it is not JSON."},
    {"status", "integer?", "The HTTP status; nil of other transports."},
    {"headers", "table<string, string>?", "The HTTP headers, by names in small letters."},
    {"destination", "string", "The destination's name."},
    {"ordinal", "integer", "Which of the sends of main this answers, counted from 1."},
};

int index_response(lua_State* L) {
  checked_object<Object>(L, 1, Object::Kind::response);
  Session& session = LuaRuntime::of(L).session();
  const Response& response = *session.input.response;
  const std::string_view name = lua_type(L, 2) == LUA_TSTRING ? view_at(L, 2) : "";
  const auto member = find_member(kResponseMembers, name);
  if (!member) unknown_member("Response", kResponseMembers, name);
  if (name == "destination") {
    push(L, response.destination);
  } else if (name == "ordinal") {
    lua_pushinteger(L, static_cast<lua_Integer>(response.ordinal) + 1);
  } else if (name == "status" || name == "headers") {
    push_attribute(L, response.attributes, name);
  } else if (name == "document") {
    push_response_document(L, session);
  } else if (!response.body) {
    lua_pushnil(L);
  } else if (name == "text") {
    push(L, *response.body);
  } else {
    if (session.response_message == nullptr) {
      charge(L, session, response.body->size() + 2048);
      session.response_message =
          &session.messages.emplace_back(response.body, nullptr, MessageBox::From::destination);
    }
    session.response_message->read();
    push_message(L, session, *session.response_message);
  }
  return 1;
}

}  // namespace

void push_request(lua_State* L, const Input& input) {
  if (input.attributes.find("\"method\"") == std::string::npos) return lua_pushnil(L);
  push_json(L, input.attributes);
  if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "method") == LUA_TSTRING) {
    return lua_pop(L, 1);
  }
  lua_pushnil(L);
}

void push_response(lua_State* L, Session& session) {
  new_object(L, Object::Kind::response, sizeof(Object), session.serial);
}

void open_response_object(lua_State* L) {
  lua_createtable(L, 0, 4);
  lua_pushcfunction(L, &guarded<index_response>);
  lua_setfield(L, -2, "__index");
  set_object_metatable(L, Object::Kind::response);
}

Library request_object() {
  return {"Request", Library::Kind::object, "What an HTTP request said besides its body: a table.",
          kRequestMembers};
}

Library response_object() {
  return {"Response", Library::Kind::object, "What a destination answered, for `on_response`.",
          kResponseMembers};
}

}  // namespace cannula::script
