// Which atoms and prefixes of UCUM a clinical message can mean. What is left out is what a mistake
// in capital and small letters makes of the units of the laboratory: MG (megagauss) of mg, ML
// (megalitre) of mL, u (atomic mass unit) of U, H (henry) of h, pH (picohenry) of [pH].
#pragma once

#include <string_view>

namespace cannula::units {

// `prefix` is empty where there is none; `atom` is one of find_atom(). Any thread.
bool is_clinical(std::string_view prefix, std::string_view atom);

}  // namespace cannula::units
