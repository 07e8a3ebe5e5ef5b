#include "rules/units/clinical.h"

#include <algorithm>
#include <array>

namespace cannula::units {
namespace {

// Small prefixes, and kilo, as far as anybody measures with them.
struct Usual {
  std::string_view atom;
  std::string_view prefixes;
};
constexpr std::array kLaboratory{
    Usual{"g", "kdcmunpfa"}, Usual{"l", "dcmunpfa"},  Usual{"L", "dcmunpfa"},
    Usual{"mol", "kmunpfa"}, Usual{"eq", "kmunp"},    Usual{"osm", "kmu"},
    Usual{"U", "kmunpf"},    Usual{"[IU]", "kmunpf"}, Usual{"[iU]", "kmunpf"},
    Usual{"kat", "munpf"},   Usual{"g%", "mun"},      Usual{"S", "mu"},
};

// Electricity, magnetism, light, mechanics, information, trade, radiation of old.
constexpr std::array<std::string_view, 40> kNever{
    "A",  "C",   "F",     "H",  "N",  "T",   "G",   "u",   "mho",  "R",   "RAD", "REM", "b",  "t",
    "st", "ar",  "Wb",    "Ky", "Bi", "Mx",  "Oe",  "Gb",  "sb",   "Lmb", "ph",  "att", "Np", "Gal",
    "gf", "bit", "bit_s", "By", "Bd", "tex", "sph", "gon", "circ", "'",   "''",  "Ao"};

// Siemens, volt, poise and bel: mS/cm, mV, cP and dB, but S is a second and V/V a share.
constexpr std::array<std::string_view, 4> kWithPrefix{"S", "V", "P", "B"};

// MHz, MBq, GPa: the only ones with mega and more.
constexpr std::array<std::string_view, 4> kLarge{"Hz", "Bq", "Pa", "eV"};

template <std::size_t size>
bool contains(const std::array<std::string_view, size>& atoms, std::string_view atom) {
  return std::find(atoms.begin(), atoms.end(), atom) != atoms.end();
}

}  // namespace

bool is_clinical(std::string_view prefix, std::string_view atom) {
  if (contains(kNever, atom)) return false;
  if (prefix.empty()) return !contains(kWithPrefix, atom);
  for (const Usual& usual : kLaboratory) {
    if (usual.atom != atom) continue;
    return prefix.size() == 1 && usual.prefixes.find(prefix.front()) != std::string_view::npos;
  }
  const bool is_large = prefix.back() == 'i' || (prefix.front() >= 'A' && prefix.front() <= 'Z');
  return !is_large || contains(kLarge, atom);
}

}  // namespace cannula::units
