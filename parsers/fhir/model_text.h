// The elements of FHIR R4 as text that a person can hold against the specification:
//
//   resource Patient : DomainResource
//     identifier     0..* Identifier
//     deceased[x]    0..1 boolean dateTime
//     contact        0..* BackboneElement
//       relationship 0..* CodeableConcept
//
// A type and the type it is based on; then its own elements in the order of the specification, with
// cardinality and types. Deeper lines are the elements of the element above them. `*` stands for
// the open list of types (http://hl7.org/fhir/R4/datatypes.html#open), `@Bundle.link` for the
// elements of that element.
#pragma once

#include <string_view>

namespace cannula::fhir {

std::string_view datatypes_model();
std::string_view patients_model();
std::string_view results_model();
std::string_view medications_model();
std::string_view exchange_model();

}  // namespace cannula::fhir
