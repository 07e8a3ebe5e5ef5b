// The quick way of fhir.Patient{…}: a table that holds what FHIR R4 wants goes into the document in
// one pass, its elements ordered and their forms looked at on the way.
//
// It knows only what is right. At the first thing that is not, or that is rare, it gives up, and
// the long way (tree_value, then fhir::arrange) does the whole again and says what is wrong.
#pragma once

#include <vector>

#include "engine/script/document_objects.h"
#include "engine/script/places.h"
#include "parsers/fhir/model.h"

namespace cannula::script {

// Which element a name of a table is, by the address of Lua's string: worked out once a state.
class ElementCache {
 public:
  // The element of `type` that the string at stack index `index` names; null when it names none.
  const fhir::Element* find(lua_State* L, int index, const fhir::Type& type) {
    const char* const name = lua_tostring(L, index);
    if (!slots_.empty()) {
      for (std::size_t at = place(name, &type);; at = (at + 1) % kSlots) {
        const Slot& slot = slots_[at];
        if (slot.name == name && slot.type == &type) return slot.element;
        if (slot.name == nullptr) break;
      }
    }
    return find_anew(L, index, type);
  }

 private:
  static constexpr std::size_t kSlots = 2048;  // a power of two; emptied when half of them are used
  struct Slot {
    const char* name = nullptr;
    const fhir::Type* type = nullptr;
    const fhir::Element* element = nullptr;
  };
  static std::size_t place(const char* name, const fhir::Type* type) {
    const auto bits =
        reinterpret_cast<std::uintptr_t>(name) ^ (reinterpret_cast<std::uintptr_t>(type) << 7);
    return static_cast<std::size_t>((bits * 0x9E3779B97F4A7C15ull) >> 53);
  }
  static_assert((~0ull >> 53) == kSlots - 1);
  const fhir::Element* find_anew(lua_State* L, int index, const fhir::Type& type);
  void keep(lua_State* L, int index, const Slot& slot);

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

// A detached resource of that type made of the table at `index`, and of an Observation of what
// stands beside the value of `obx`, which may be null, where the table is silent; kNone when it
// gave up. Leaves the stack as it was.
tree::NodeId build_quickly(lua_State* L, DocumentBox& box, int index, const fhir::Type& type,
                           const PlaceObject* obx);

}  // namespace cannula::script
