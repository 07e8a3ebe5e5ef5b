// The atoms and prefixes of UCUM that are supported: the units of the SI and those of medicine and
// the laboratory, defined by what they are.
#pragma once

#include <span>
#include <string_view>

#include "rules/units/unit.h"

namespace cannula::units {

struct Atom {
  std::string_view code;
  bool metric = false;  // takes prefixes
  Unit unit;
};

struct Prefix {
  std::string_view code;
  double factor;
};

std::span<const Prefix> prefixes();
// nullptr when there is no such atom.
const Atom* find_atom(std::string_view code);

}  // namespace cannula::units
