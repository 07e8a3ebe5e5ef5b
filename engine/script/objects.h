// The userdata a script holds. Each begins with what it is and which run it belongs to; all they
// point at belongs to that run, so they need no finalizer.
#pragma once

#include <cstdint>

#include "engine/script/lua_api.h"
#include "engine/script/session.h"

namespace cannula::script {

struct Object {
  enum class Kind : std::uint32_t {
    message,
    segment,
    node,
    group,
    response,
    phi,
    secret,
    row,
    verdict,
    document,
    document_node,
    transaction,
    json_null,
    json_number,
  };
  Kind kind;
  std::uint64_t run;  // 0: of no run, always usable
};

struct MessageObject : Object {
  MessageBox* box;
};

// The name of an object's kind as scripts know it: "Message".
const char* name_of(Object::Kind kind);

// The object at `index`, or null when something else stands there.
inline Object* object_at(lua_State* L, int index) {
  return lua_type(L, index) == LUA_TUSERDATA ? static_cast<Object*>(lua_touserdata(L, index))
                                             : nullptr;
}

// Throws when the object's run has ended.
void check_alive(lua_State* L, const Object& object);
[[noreturn]] void wrong_object(lua_State* L, int index, Object::Kind wanted);

// The object of that kind at `index`, alive; throws otherwise.
template <class T>
T& checked_object(lua_State* L, int index, Object::Kind kind) {
  Object* object = object_at(L, index);
  if (object == nullptr || object->kind != kind) wrong_object(L, index, kind);
  check_alive(L, *object);
  return *static_cast<T*>(object);
}

// A new userdata of the kind, with `bytes` (at least sizeof(T)), of the run under way.
void* new_object(lua_State* L, Object::Kind kind, std::size_t bytes, std::uint64_t run);

// Sets the metatable that all objects of a kind share, made of the table on top of the stack.
void set_object_metatable(lua_State* L, Object::Kind kind);

// Pushes a message object.
void push_message(lua_State* L, Session& session, MessageBox& box);

// The text of a value that is written into a message or used as a key: a string, a number, or phi
// of one. nullopt for nil. Throws for anything else, naming `what`. The view lives while the value
// does.
std::optional<std::string_view> text_value(lua_State* L, int index, std::string_view what);

// " (did you mean 'x'?)", or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace cannula::script
