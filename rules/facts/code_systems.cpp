#include <string>
#include <string_view>

#include "rules/facts/facts.h"

namespace cannula::facts {
namespace {

struct System {
  std::string_view written;
  std::string_view name;
};

// HL7 table 0396, the names people write instead, and OIDs. SNM is the older SNOMED, whose codes
// are others.
constexpr System kSystems[] = {
    {"LN", "loinc"},
    {"LOINC", "loinc"},
    {"2.16.840.1.113883.6.1", "loinc"},
    {"SCT", "snomed"},
    {"SNOMED", "snomed"},
    {"SNOMED-CT", "snomed"},
    {"SNOMED CT", "snomed"},
    {"2.16.840.1.113883.6.96", "snomed"},
    {"I10", "icd10"},
    {"I10C", "icd10"},
    {"ICD10", "icd10"},
    {"ICD-10", "icd10"},
    {"2.16.840.1.113883.6.90", "icd10"},
    {"2.16.840.1.113883.6.3", "icd10"},
    {"RXNORM", "rxnorm"},
    {"2.16.840.1.113883.6.88", "rxnorm"},
    {"UCUM", "ucum"},
};

}  // namespace

std::string code_system(std::string written) {
  for (const System& system : kSystems) {
    if (system.written == written) return std::string(system.name);
  }
  return written;
}

}  // namespace cannula::facts
