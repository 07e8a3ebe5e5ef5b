#include "parsers/fhir/error_codes.h"

#include <array>

namespace cannula::fhir {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"E101", "A resource that is not modelled",
              "The name is none of the resources of FHIR R4 that Cannula builds. Most often it is "
              "misspelt; names begin with a capital: Patient, DiagnosticReport."},
    ErrorCode{"E102", "An element that R4 does not have",
              "The resource or data type has no element of that name. Elements with a choice of "
              "type carry the type in their name: valueQuantity, deceasedBoolean. What R4 has no "
              "place for goes into an extension."},
    ErrorCode{"E103", "A value of a wrong kind",
              "A text stands where R4 has a data type with elements of its own, or the other way "
              "round, or a boolean is written as a text. The message says what is wanted."},
    ErrorCode{"E104", "A value of a wrong form",
              "The text does not have the form of its type "
              "(http://hl7.org/fhir/R4/datatypes.html#primitive): dates are written 2026-01-15, "
              "times need seconds and the offset from UTC, codes and ids have no blanks. "
              "fhir.date, fhir.datetime and fhir.quantity make such texts from those of HL7 v2."},
    ErrorCode{"E105", "An element twice, or two of a choice",
              "Of value[x] and the like a resource has one, whatever its type: valueQuantity or "
              "valueString, not both."},
    ErrorCode{"E106", "Several values where R4 has one",
              "A list was given for an element that occurs at most once."},
    ErrorCode{"E108", "A resource that is nested too deep",
              "More than a hundred levels: a table that holds itself, or a loop that wraps its own "
              "result."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::fhir
