// reply: what a sender is told that waits for the script, in place of the transport's own answer.
#include <string>

#include "engine/script/document_objects.h"
#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"
#include "engine/script/registry.h"

namespace cannula::script {

namespace {

constexpr std::size_t kMostHeaders = 64;

[[noreturn]] void refuse(const std::string& why) {
  throw ScriptError("L234", why);
}

unsigned status_of(lua_State* L, int index) {
  int exact = 0;
  const lua_Integer status = lua_tointegerx(L, index, &exact);
  if (exact == 0 || status < 200 || status > 599) {
    refuse("the status of a reply is a number from 200 to 599");
  }
  return static_cast<unsigned>(status);
}

// A token by RFC 9110, 5.6.2.
bool is_header_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 ||
                  std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                      std::string_view::npos;
         });
}

bool is_header_value(std::string_view value) {
  return value.size() <= 8192 && std::all_of(value.begin(), value.end(), [](unsigned char c) {
           return c == '\t' || (c >= 0x20 && c != 0x7F);
         });
}

void read_headers(lua_State* L, int index, Reply& reply) {
  if (lua_type(L, index) != LUA_TTABLE)
    refuse("the headers of a reply are a table, { name = text }");
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    const auto value = text_value(L, -1, "a header of reply");
    if (!is_header_name(name) || !value || !is_header_value(*value)) {
      refuse("the header '" + std::string(name.substr(0, 60)) +
             "' of a reply cannot be sent: a name has letters, digits and -, a value one line");
    }
    if (reply.headers.size() >= kMostHeaders) refuse("a reply has at most 64 headers");
    reply.headers.emplace_back(name, *value);
    lua_pop(L, 1);
  }
  std::sort(reply.headers.begin(), reply.headers.end());
}

bool is_json(lua_State* L, int index) {
  return is_document(L, index) || lua_type(L, index) == LUA_TTABLE;
}

bool has_content_type(const Reply& reply) {
  constexpr std::string_view kName = "content-type";
  return std::any_of(reply.headers.begin(), reply.headers.end(), [&](const auto& header) {
    return std::equal(
        header.first.begin(), header.first.end(), kName.begin(), kName.end(),
        [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  });
}

Bytes body_of(lua_State* L, int index) {
  const Object* object = object_at(L, index);
  if (object != nullptr && object->kind == Object::Kind::message) {
    MessageBox& box = *checked_object<MessageObject>(L, index, Object::Kind::message).box;
    const Bytes edited = box.payload();
    return edited ? edited : box.bytes();
  }
  if (is_json(L, index)) {
    return make_bytes(json_text(L, index));
  }
  const auto text = text_value(L, index, "the body of reply");
  return text ? make_bytes(std::string(*text)) : nullptr;
}

// The last reply of a run counts.
int reply(lua_State* L) {
  Session& session = LuaRuntime::of(L).session();
  if (lua_type(L, 1) != LUA_TTABLE) {
    refuse(std::string("reply takes a table, reply{ status = 200, body = … }, not a ") +
           luaL_typename(L, 1));
  }
  if (session.input.response)
    refuse("reply is for main: the sender has had its answer long before");
  constexpr std::string_view kOptions[] = {"status", "headers", "body"};
  Reply made;
  bool json = false;
  lua_settop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    const int value = lua_gettop(L);
    if (name == "status") {
      made.status = status_of(L, value);
    } else if (name == "headers") {
      read_headers(L, value, made);
    } else if (name == "body") {
      made.body = body_of(L, value);
      json = is_json(L, value);
    } else {
      refuse("reply has no '" + std::string(name.substr(0, 60)) + "'" +
             did_you_mean(name, kOptions) + "; it has status, headers and body");
    }
    lua_settop(L, value - 1);
  }
  if (json && !has_content_type(made))
    made.headers.emplace_back("Content-Type", "application/json");
  charge(L, session, sizeof(Reply) + (made.body ? made.body->size() : 0));
  session.reply = std::move(made);
  return 0;
}

constexpr Binding kBindings[] = {
    {"reply", "(answer: Reply)",
     "What the sender is answered, where it waits for the script: an http source with `respond = "
     "\"processed\"`, or an mllp source with `ack = \"processed\"` (the body alone, an "
     "acknowledgement of your own). `{status = 200, headers = {name = text}, body = text, Message, "
     "Document or table}`; a Document or table is sent as `application/json` unless the headers "
     "say another Content-Type. Holds for messages that end well, are skipped or rejected; nothing "
     "is "
     "answered with it before the outcome is on disk.",
     &guarded<reply>},
};

}  // namespace

Library reply_library() {
  return {"Answering", Library::Kind::globals, "", kBindings};
}

}  // namespace cannula::script
