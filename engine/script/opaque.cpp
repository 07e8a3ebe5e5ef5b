#include "engine/script/opaque.h"

#include <string>

#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"

namespace cannula::script {

namespace {

int print_masked(lua_State* L) {
  lua_pushliteral(L, "***");
  return 1;
}

bool is_phi(lua_State* L, int index) {
  const Object* object = object_at(L, index);
  return object != nullptr && object->kind == Object::Kind::phi;
}

// "MRN " .. phi(x) stays phi.
int concatenate(lua_State* L) {
  std::string text;
  for (const int index : {1, 2}) {
    const auto part = text_value(L, index, "..");
    if (!part) throw ScriptError("L210", "a nil value cannot be joined to phi(…)");
    text += *part;
  }
  lua_settop(L, 0);
  push(L, text);
  return make_phi(L);
}

int equal(lua_State* L) {
  lua_pushboolean(L, is_phi(L, 1) && is_phi(L, 2) && phi_text(L, 1) == phi_text(L, 2));
  return 1;
}

int refuse_member(lua_State* L) {
  throw ScriptError("L210", std::string("a ") + name_of(object_at(L, 1)->kind) +
                                " value has no members: it is masked wherever it is printed");
}

}  // namespace

std::string_view phi_text(lua_State* L, int index) {
  lua_getiuservalue(L, index, 1);
  const std::string_view text = view_at(L, -1);
  lua_pop(L, 1);
  return text;
}

int make_phi(lua_State* L) {
  if (lua_isnoneornil(L, 1)) {
    lua_pushnil(L);
    return 1;
  }
  if (is_phi(L, 1)) {
    lua_settop(L, 1);
    return 1;
  }
  string_argument(L, 1);
  lua_tolstring(L, 1, nullptr);
  new_object(L, Object::Kind::phi, sizeof(Object), 0);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

int make_secret(lua_State* L) {
  LuaRuntime& runtime = LuaRuntime::of(L);
  const std::string name(string_argument(L, 1));
  const Result<std::string> value = runtime.host().secret(runtime.program().channel, name);
  if (!value) throw ScriptError("L215", value.error().text());
  new_object(L, Object::Kind::secret, sizeof(Object), 0);
  push(L, *value);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

void open_opaque(lua_State* L) {
  for (const Object::Kind kind : {Object::Kind::phi, Object::Kind::secret}) {
    lua_createtable(L, 0, 6);
    lua_pushcfunction(L, &print_masked);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, &guarded<refuse_member>);
    lua_setfield(L, -2, "__index");
    if (kind == Object::Kind::phi) {
      lua_pushcfunction(L, &guarded<concatenate>);
      lua_setfield(L, -2, "__concat");
      lua_pushcfunction(L, &guarded<equal>);
      lua_setfield(L, -2, "__eq");
    }
    set_object_metatable(L, kind);
  }
}

}  // namespace cannula::script
