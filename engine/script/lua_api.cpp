#include "engine/script/lua_api.h"

namespace cannula::script {

ScriptError::ScriptError(std::string_view code, std::string_view text) {
  text_ = text;
  text_ += " [";
  text_ += code;
  text_ += "]";
}

void raise_failure(lua_State* L, const std::exception& failure) {
  luaL_where(L, 1);
  lua_pushstring(L, failure.what());
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

}  // namespace cannula::script
