// Gives a resource that someone wrote down the form that FHIR R4 wants.
#pragma once

#include "parsers/fhir/model.h"
#include "parsers/text/result.h"
#include "parsers/tree/document.h"

namespace cannula::fhir {

// The object becomes a value of `type`: resourceType first and the elements in R4's order; a single
// value in a list where R4 wants a list; decimals that were written as strings become numbers of
// the same text; what is empty (null, "", {}, []) is left out, because FHIR has no empty elements.
// Fails (E1xx), naming the element as "Patient.name[1].family", at the first name that R4 does not
// have, value of a wrong form, or several where R4 has one; the object is then half done. Whether
// required elements are there is not asked.
Result<void> arrange(tree::Document& document, tree::NodeId object, const Type& type);

// The type of a resource that names itself by resourceType; fails (E101, E103) when it does not or
// when R4 has no such resource.
Result<const Type*> type_of_resource(tree::Node resource);

}  // namespace cannula::fhir
