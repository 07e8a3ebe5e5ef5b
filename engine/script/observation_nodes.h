// What stands beside the value of an OBX, for fhir.Observation(elements, obx): into the document at
// once, without tables of Lua between.
#pragma once

#include <optional>

#include "engine/script/lua_api.h"
#include "engine/script/places.h"
#include "parsers/tree/document.h"

namespace cannula::script {

// Lists, detached; kNone where nothing stands.
struct BesideValue {
  tree::NodeId interpretation = tree::kNone;   // OBX-8, as fhir.interpretation
  tree::NodeId reference_range = tree::kNone;  // OBX-7 and OBX-6, as fhir.range
};

// nullopt when a text is none that FHIR takes, or when there is much of it; what is wrong with it
// says the long way.
std::optional<BesideValue> make_beside_value(lua_State* L, const PlaceObject& obx,
                                             tree::Document& into);

// The same as tables: pushes a copy of the table at `index` with what it is silent about.
void push_beside_value(lua_State* L, int index, int obx);

}  // namespace cannula::script
