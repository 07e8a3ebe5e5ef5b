// The fhir library: resources, transactions, and HL7 v2 values as FHIR.
#pragma once

#include <span>

#include "engine/script/document_objects.h"
#include "engine/script/registry.h"

namespace cannula::script {

void open_fhir_objects(lua_State* L);
// Adds fhir.Patient and the others to the table on top of the stack.
void add_fhir_constructors(lua_State* L);

// Gives a resource made by fhir.* FHIR's form once more when something was edited since.
void arrange_again(lua_State* L, DocumentObject& document);
tree::Node transaction_bundle(const Object& object);

}  // namespace cannula::script
