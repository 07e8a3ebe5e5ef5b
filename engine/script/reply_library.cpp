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

std::string text_member(lua_State* L, int index, const char* what) {
  const auto text = text_value(L, index, what);
  return text ? std::string(*text) : std::string();
}

hl7v2::AckError read_error(lua_State* L, int index) {
  constexpr std::string_view kOptions[] = {"code", "location", "severity", "text", "diagnostics"};
  if (lua_type(L, index) != LUA_TTABLE) {
    refuse("each of `errors` is a table, { code = \"101\", location = \"PID^1^3\", text = … }");
  }
  hl7v2::AckError error;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    std::string text = text_member(L, lua_gettop(L), "an error of ack");
    if (name == "code") {
      error.code = std::move(text);
    } else if (name == "location") {
      error.location = std::move(text);
    } else if (name == "severity") {
      error.severity = std::move(text);
    } else if (name == "text") {
      error.text = std::move(text);
    } else if (name == "diagnostics") {
      error.diagnostics = std::move(text);
    } else {
      refuse("an error of ack has no '" + std::string(name.substr(0, 60)) + "'" +
             did_you_mean(name, kOptions));
    }
    lua_pop(L, 1);
  }
  return error;
}

void read_errors(lua_State* L, int index, AckReply& made) {
  constexpr lua_Unsigned kMost = 1000;
  if (lua_type(L, index) != LUA_TTABLE) refuse("`errors` of ack is a list of tables");
  const lua_Unsigned count = lua_rawlen(L, index);
  if (count > kMost) refuse("an acknowledgement has at most 1000 errors");
  for (lua_Unsigned i = 1; i <= count; ++i) {
    lua_rawgeti(L, index, static_cast<lua_Integer>(i));
    made.errors.push_back(read_error(L, lua_gettop(L)));
    lua_pop(L, 1);
  }
}

hl7v2::AckOutcome outcome_at(lua_State* L, int index) {
  const auto code = hl7v2::ack_code(text_member(L, index, "the code of ack"));
  if (!code) refuse("the code of ack is one of AA, AE, AR, CA, CE and CR");
  return hl7v2::outcome_of(*code);
}

// The last ack or reply of a run counts.
int ack(lua_State* L) {
  Session& session = LuaRuntime::of(L).session();
  if (lua_type(L, 1) != LUA_TTABLE) {
    refuse(std::string("ack takes a table, ack{ code = \"AE\", text = … }, not a ") +
           luaL_typename(L, 1));
  }
  if (session.input.response) refuse("ack is for main: the sender has had its answer long before");
  constexpr std::string_view kOptions[] = {"code", "text", "errors", "expected_sequence"};
  AckReply made;
  lua_settop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    const int value = lua_gettop(L);
    if (name == "code") {
      made.outcome = outcome_at(L, value);
    } else if (name == "text") {
      made.text = text_member(L, value, "the text of ack");
    } else if (name == "errors") {
      read_errors(L, value, made);
    } else if (name == "expected_sequence") {
      made.expected_sequence = luaL_checkinteger(L, value);
    } else {
      refuse("ack has no '" + std::string(name.substr(0, 60)) + "'" + did_you_mean(name, kOptions) +
             "; it has code, text, errors and expected_sequence");
    }
    lua_settop(L, value - 1);
  }
  charge(L, session,
         sizeof(Reply) + made.text.size() + made.errors.size() * sizeof(hl7v2::AckError));
  session.reply.emplace().ack = std::move(made);
  return 0;
}

constexpr Binding kBindings[] = {
    {"ack", "(answer: Ack)",
     "The acknowledgement of HL7 v2 that the sender gets: of an mllp source with `ack = "
     "\"processed\"`, or the later one of `application_ack`. `{code = \"AA\" | \"AE\" | \"AR\", "
     "text = "
     "\"…\", errors = {{code = \"101\", location = \"PID^1^3\", severity = \"E\", text = \"…\", "
     "diagnostics = \"…\"}}, expected_sequence = number}`; all of it may be left out. Addresses, "
     "control ids, the version and the place of each text (ERR by version, MSA-3) are seen to; "
     "where the sender asks for a commit acknowledgement AE becomes CE, and where it asks for none "
     "there is none. Like `reply`, it does not end the script or the message: say `reject` or "
     "`skip` besides where that is meant.",
     &guarded<ack>},

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
