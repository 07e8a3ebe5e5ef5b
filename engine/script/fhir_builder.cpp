#include "engine/script/fhir_builder.h"

#include <charconv>
#include <utility>

#include "engine/script/lua_runtime.h"
#include "engine/script/observation_nodes.h"

namespace cannula::script {

using fhir::Element;
using fhir::Primitive;
using fhir::Type;
using tree::Document;
using tree::kNone;
using tree::NodeId;

// -- ElementCache

namespace {
const char kAnchor = 0;
constexpr std::size_t kLongestCached = 40;  // longer strings are not unique in Lua
constexpr int kDeepest = 50;
}  // namespace

const Element* ElementCache::find_anew(lua_State* L, int index, const Type& type) {
  const std::string_view name = view_at(L, index);
  const Element* const element = type.find(name);
  if (element != nullptr && name.size() <= kLongestCached) {
    keep(L, lua_absindex(L, index), {name.data(), &type, element});
  }
  return element;
}

void ElementCache::keep(lua_State* L, int index, const Slot& slot) {
  luaL_checkstack(L, 3, nullptr);
  if (slots_.empty() || used_ >= kSlots / 2) {
    slots_.assign(kSlots, Slot{});
    used_ = 0;
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kAnchor);
  }
  // Kept from the collector, so that no other string comes to stand at its address.
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kAnchor);
  lua_pushvalue(L, index);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  std::size_t at = place(slot.name, slot.type);
  while (slots_[at].name != nullptr) at = (at + 1) % kSlots;
  slots_[at] = slot;
  ++used_;
}

// -- The builder

namespace {

class QuickBuilder {
 public:
  QuickBuilder(lua_State* L, DocumentBox& box)
      : L_(L),
        machine_(Machine::of(L)),
        cache_(LuaRuntime::of(L).elements()),
        box_(box),
        document_(box.read()) {
    members_.reserve(64);
  }

  bool gave_up() const { return gave_up_; }

  NodeId resource(int index, const Type& type, const PlaceObject* obx) {
    obx_ = obx;
    return object(index, type, true, 0);
  }

 private:
  // The object of the table at `index`; kNone also when it would be empty.
  NodeId object(int index, const Type& type, bool resource, int level) {
    if (level > kDeepest || lua_getmetatable(L_, index) != 0) return give_up();
    luaL_checkstack(L_, 6, nullptr);
    const std::size_t first = members_.size();
    const int name = lua_gettop(L_) + 1;
    lua_pushnil(L_);
    while (lua_next(L_, index) != 0) {
      count_one();
      if (!member(name, type, resource, level)) return kNone;
      lua_settop(L_, name);
    }
    if (members_.size() == first && !resource) return kNone;
    if (resource && obx_ != nullptr && !beside_value(index, type)) return give_up();
    if (!order(first)) return give_up();
    const NodeId made = document_.make_object();
    if (resource) {
      document_.add_fixed(made, "resourceType", document_.make_fixed(type.name()));
    }
    for (std::size_t at = first; at < members_.size(); ++at) {
      document_.add_fixed(made, members_[at].element->name, members_[at].node);
    }
    members_.resize(first);
    return made;
  }

  // The members of the Observation, which is the whole, that its table is silent about; what it
  // calls empty is meant to be.
  bool beside_value(int index, const Type& type) {
    const auto made = make_beside_value(L_, *obx_, document_);
    if (!made) return false;
    for (const auto& [name, node] : {std::pair("interpretation", made->interpretation),
                                     {"referenceRange", made->reference_range}}) {
      if (node == kNone) continue;
      const bool silent = lua_getfield(L_, index, name) == LUA_TNIL;
      lua_pop(L_, 1);
      if (silent) members_.push_back({type.find(name), node});
    }
    return true;
  }

  struct Member {
    const Element* element;
    NodeId node;
  };

  NodeId give_up() {
    gave_up_ = true;
    return kNone;
  }

  void count_one() {
    machine_.work(L_, 8);
    if (++made_ % 256 == 0) charge(L_, LuaRuntime::of(L_).session(), box_);
  }

  // The pair of a name at `name` and a value behind it; false when it gave up.
  bool member(int name, const Type& type, bool resource, int level) {
    if (lua_type(L_, name) != LUA_TSTRING) {
      give_up();
      return false;
    }
    const int here = name + 1;
    const Element* const element = cache_.find(L_, name, type);
    if (element == nullptr) {
      const bool same_type = resource && view_at(L_, name) == "resourceType" &&
                             lua_type(L_, here) == LUA_TSTRING && view_at(L_, here) == type.name();
      if (!same_type) give_up();
      return same_type;
    }
    const NodeId node = value(here, *element, level);
    if (gave_up_) return false;
    if (node != kNone) members_.push_back({element, node});
    return true;
  }

  NodeId value(int index, const Element& element, int level) {
    if (element.sibling) return give_up();
    if (!element.list) return one(index, element, level);
    if (lua_type(L_, index) == LUA_TTABLE && lua_rawlen(L_, index) > 0) {
      return list(index, element, level);
    }
    const NodeId single = one(index, element, level);
    if (single == kNone) return kNone;
    const NodeId array = document_.make_array();
    document_.append(array, single);
    return array;
  }

  // The elements of 1 … n; gives up where there are gaps or other keys.
  NodeId list(int index, const Element& element, int level) {
    if (lua_getmetatable(L_, index) != 0) return give_up();
    luaL_checkstack(L_, 6, nullptr);
    NodeId array = kNone;
    lua_Integer position = 0;
    const int key = lua_gettop(L_) + 1;
    lua_pushnil(L_);
    while (lua_next(L_, index) != 0) {
      count_one();
      if (lua_isinteger(L_, key) == 0 || lua_tointeger(L_, key) != ++position) return give_up();
      const NodeId item = one(key + 1, element, level);
      if (gave_up_) return kNone;
      if (item != kNone) {
        if (array == kNone) array = document_.make_array();
        document_.append(array, item);
      }
      lua_settop(L_, key);
    }
    return array;
  }

  NodeId one(int index, const Element& element, int level) {
    switch (lua_type(L_, index)) {
      case LUA_TSTRING:
        return text(view_at(L_, index), element.primitive);
      case LUA_TNUMBER:
        return number(index, element.primitive);
      case LUA_TBOOLEAN:
        if (element.primitive != Primitive::boolean) return give_up();
        return document_.make_boolean(lua_toboolean(L_, index) != 0);
      case LUA_TTABLE: {
        const bool plain = element.primitive == Primitive::none &&
                           !element.type->is_any_resource() && lua_rawlen(L_, index) == 0;
        return plain ? object(index, *element.type, false, level + 1) : give_up();
      }
      default:
        return give_up();
    }
  }

  NodeId text(std::string_view text, Primitive primitive) {
    machine_.work(L_, text.size() / 16);
    if (primitive == Primitive::none || primitive == Primitive::boolean) return give_up();
    if (text.empty()) return kNone;
    if (fhir::wrong_form(primitive, text)) return give_up();
    const NodeId made =
        fhir::is_numeric(primitive) ? document_.make_number(text) : document_.make_string(text);
    return made == kNone ? give_up() : made;
  }

  NodeId number(int index, Primitive primitive) {
    if (lua_isinteger(L_, index) == 0 || primitive == Primitive::none) return give_up();
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof(digits), lua_tointeger(L_, index));
    return text({digits, static_cast<std::size_t>(end.ptr - digits)}, primitive);
  }

  // In R4's order; false when one stands twice, or two of one choice.
  bool order(std::size_t first) {
    for (std::size_t at = first + 1; at < members_.size(); ++at) {
      const Member moved = members_[at];
      std::size_t to = at;
      for (; to > first && members_[to - 1].element->order > moved.element->order; --to) {
        members_[to] = members_[to - 1];
      }
      members_[to] = moved;
    }
    for (std::size_t at = first + 1; at < members_.size(); ++at) {
      const Element& before = *members_[at - 1].element;
      const Element& here = *members_[at].element;
      if (before.order == here.order || (here.choice != 0 && here.choice == before.choice)) {
        return false;
      }
    }
    return true;
  }

  lua_State* L_;
  Machine& machine_;
  ElementCache& cache_;
  DocumentBox& box_;
  Document& document_;
  std::size_t made_ = 0;
  std::vector<Member> members_;  // of the objects under way, one behind the other
  bool gave_up_ = false;
  const PlaceObject* obx_ = nullptr;
};

}  // namespace

NodeId build_quickly(lua_State* L, DocumentBox& box, int index, const Type& type,
                     const PlaceObject* obx) {
  const int top = lua_gettop(L);
  QuickBuilder builder(L, box);
  const NodeId made = builder.resource(lua_absindex(L, index), type, obx);
  lua_settop(L, top);
  charge(L, LuaRuntime::of(L).session(), box);
  return builder.gave_up() ? kNone : made;
}

}  // namespace cannula::script
