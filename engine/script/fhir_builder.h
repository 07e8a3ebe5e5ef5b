// The quick way of fhir.Patient{…}: a table that holds what FHIR R4 wants goes into the document in
// one pass, its elements ordered and their forms looked at on the way.
//
// It knows only what is right. At the first thing that is not, or that is rare, it gives up, and
// the long way (tree_value, then fhir::arrange) does the whole again and says what is wrong.
#pragma once

#include <vector>

#include "engine/script/document_objects.h"
#include "parsers/fhir/model.h"

namespace cannula::script {

// Which element a name of a table is, by the address of Lua's string: worked out once a state.
class ElementCache {
 public:
  // The element of `type` that the string at stack index `index` names; null when it names none.
  const fhir::Element* find(lua_State* L, int index, const fhir::Type& type);

 private:
  static constexpr std::size_t kSlots = 2048;  // a power of two; emptied when half of them are used
  struct Slot {
    const char* name = nullptr;
    const fhir::Type* type = nullptr;
    const fhir::Element* element = nullptr;
  };
  static std::size_t place(const char* name, const fhir::Type* type);
  void keep(lua_State* L, int index, const Slot& slot);

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

// A detached resource of that type made of the table at `index`; kNone when it gave up. Leaves the
// stack as it was.
tree::NodeId build_quickly(lua_State* L, DocumentBox& box, int index, const fhir::Type& type);

}  // namespace cannula::script
