#include "engine/script/objects.h"

#include "engine/script/lua_runtime.h"
#include "engine/script/opaque.h"
#include "parsers/text/diagnostic.h"

namespace cannula::script {

namespace {
constexpr const char* kNames[] = {
    "Message", "Segment", "Node",     "Group",        "Response",    "phi",       "secret",
    "Row",     "Verdict", "Document", "DocumentNode", "Transaction", "json.null", "json.number"};
const char kMetatables[std::size(kNames)] = {};

const void* metatable_key(Object::Kind kind) {
  return &kMetatables[static_cast<std::size_t>(kind)];
}
}  // namespace

const char* name_of(Object::Kind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

void check_alive(lua_State* L, const Object& object) {
  if (object.run == 0) return;
  LuaRuntime& runtime = LuaRuntime::of(L);
  if (runtime.has_session() && runtime.session().serial == object.run) return;
  throw ScriptError("L207", std::string("this ") + name_of(object.kind) +
                                " belongs to a message whose run has ended: keep the text you need "
                                "instead of the object");
}

void wrong_object(lua_State* L, int index, Object::Kind wanted) {
  const Object* object = object_at(L, index);
  const std::string found = object != nullptr ? name_of(object->kind) : luaL_typename(L, index);
  std::string text = std::string("a ") + name_of(wanted) + " was expected, not " +
                     (found == "nil" || found == "no value" ? found : "a " + found);
  if (index == 1) text += ": call methods with a colon, as in msg:each(…)";
  throw ScriptError("L210", text);
}

void* new_object(lua_State* L, Object::Kind kind, std::size_t bytes, std::uint64_t run) {
  const int values = kind == Object::Kind::phi || kind == Object::Kind::secret ? 1 : 0;
  auto* object = static_cast<Object*>(lua_newuserdatauv(L, bytes, values));
  object->kind = kind;
  object->run = run;
  lua_rawgetp(L, LUA_REGISTRYINDEX, metatable_key(kind));
  lua_setmetatable(L, -2);
  return object;
}

void set_object_metatable(lua_State* L, Object::Kind kind) {
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushstring(L, name_of(kind));
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, metatable_key(kind));
}

void push_message(lua_State* L, Session& session, MessageBox& box) {
  auto* object = static_cast<MessageObject*>(
      new_object(L, Object::Kind::message, sizeof(MessageObject), session.serial));
  object->box = &box;
}

std::optional<std::string_view> text_value(lua_State* L, int index, std::string_view what) {
  switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
      return std::nullopt;
    case LUA_TSTRING:
    case LUA_TNUMBER:
      return view_at(L, index);
    default:
      break;
  }
  const Object* object = object_at(L, index);
  if (object != nullptr && object->kind == Object::Kind::phi) return phi_text(L, index);
  throw ScriptError(
      "L210",
      std::string(what) + " takes a string, a number or nil, not a " +
          (object != nullptr ? name_of(object->kind) : luaL_typename(L, index)) +
          (object != nullptr && object->kind == Object::Kind::node ? ": read its text with :text()"
                                                                   : ""));
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
  const auto found = nearest(name, candidates);
  return found ? " (did you mean '" + *found + "'?)" : "";
}

}  // namespace cannula::script
