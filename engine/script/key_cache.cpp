#include "engine/script/key_cache.h"

namespace cannula::script {

namespace {
const char kAnchor = 0;
constexpr std::size_t kLongestCached = 40;  // longer strings are not unique in Lua
}  // namespace

std::size_t KeyCache::place(const char* text, Resolve resolve) {
  const auto bits =
      reinterpret_cast<std::uintptr_t>(text) ^ (reinterpret_cast<std::uintptr_t>(resolve) << 7);
  return static_cast<std::size_t>((bits * 0x9E3779B97F4A7C15ull) >> 54);
}
static_assert((~0ull >> 54) == 1023);

const Key& KeyCache::find(lua_State* L, int index, Resolve resolve) {
  const char* text = lua_tostring(L, index);
  if (!slots_.empty()) {
    for (std::size_t at = place(text, resolve);; at = (at + 1) % kSlots) {
      const Slot& slot = slots_[at];
      if (slot.text == text && slot.resolve == resolve) return slot.key;
      if (slot.text == nullptr) break;
    }
  }
  return add(L, index, resolve);
}

const Key& KeyCache::add(lua_State* L, int index, Resolve resolve) {
  const int key = lua_absindex(L, index);
  const std::string_view text = view_at(L, key);
  uncached_ = resolve(L, text);
  if (text.size() > kLongestCached) return uncached_;
  luaL_checkstack(L, 3, nullptr);
  if (slots_.empty() || used_ >= kSlots / 2) {
    slots_.assign(kSlots, Slot{});
    used_ = 0;
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kAnchor);
  }
  // Kept from the collector, so that no other string comes to stand at its address.
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kAnchor);
  lua_pushvalue(L, key);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  std::size_t at = place(text.data(), resolve);
  while (slots_[at].text != nullptr) at = (at + 1) % kSlots;
  slots_[at] = {text.data(), resolve, uncached_};
  ++used_;
  return slots_[at].key;
}

}  // namespace cannula::script
