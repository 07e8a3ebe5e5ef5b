#include "rules/units/atoms.h"

#include <cmath>
#include <unordered_map>
#include <vector>

namespace cannula::units {
namespace {

constexpr Prefix kPrefixes[] = {
    {"Y", 1e24},  {"Z", 1e21},     {"E", 1e18},        {"P", 1e15},
    {"T", 1e12},  {"G", 1e9},      {"M", 1e6},         {"k", 1e3},
    {"h", 1e2},   {"da", 1e1},     {"d", 1e-1},        {"c", 1e-2},
    {"m", 1e-3},  {"u", 1e-6},     {"n", 1e-9},        {"p", 1e-12},
    {"f", 1e-15}, {"a", 1e-18},    {"z", 1e-21},       {"y", 1e-24},
    {"Ki", 1024}, {"Mi", 1048576}, {"Gi", 1073741824}, {"Ti", 1099511627776},
};

enum Kind : std::uint8_t {
  plain,
  metric,
  arbitrary,         // a dimension of its own
  metric_arbitrary,  // … that takes prefixes
  logarithmic,       // read, not converted
  metric_logarithmic
};

// An atom is `value` of `term`, which uses atoms of earlier lines.
struct Definition {
  std::string_view code;
  Kind kind;
  double value;
  std::string_view term;
};

constexpr double kPi = 3.14159265358979323846;

constexpr Definition kDefinitions[] = {
    // numbers
    {"10*", plain, 10, ""},
    {"10^", plain, 10, ""},
    {"[pi]", plain, kPi, ""},
    {"%", plain, 0.01, ""},
    {"[ppth]", plain, 1e-3, ""},
    {"[ppm]", plain, 1e-6, ""},
    {"[ppb]", plain, 1e-9, ""},
    {"[pptr]", plain, 1e-12, ""},
    // SI
    {"osm", metric, 1, "mol"},
    {"sr", metric, 1, "rad2"},
    {"Hz", metric, 1, "s-1"},
    {"N", metric, 1e3, "g.m.s-2"},
    {"Pa", metric, 1, "N.m-2"},
    {"J", metric, 1, "N.m"},
    {"W", metric, 1, "J.s-1"},
    {"A", metric, 1, "C.s-1"},
    {"V", metric, 1, "J.C-1"},
    {"F", metric, 1, "C.V-1"},
    {"Ohm", metric, 1, "V.A-1"},
    {"S", metric, 1, "Ohm-1"},
    {"mho", metric, 1, "S"},
    {"Wb", metric, 1, "V.s"},
    {"T", metric, 1, "Wb.m-2"},
    {"H", metric, 1, "Wb.A-1"},
    {"lm", metric, 1, "cd.sr"},
    {"lx", metric, 1, "lm.m-2"},
    {"Bq", metric, 1, "s-1"},
    {"Gy", metric, 1e-3, "J.g-1"},
    {"Sv", metric, 1e-3, "J.g-1"},
    {"kat", metric, 1, "mol.s-1"},
    // beside the SI
    {"l", metric, 1e-3, "m3"},
    {"L", metric, 1e-3, "m3"},
    {"ar", metric, 100, "m2"},
    {"st", metric, 1, "m3"},
    {"t", metric, 1e6, "g"},
    {"u", metric, 1.66053906660e-24, "g"},
    {"bar", metric, 1e5, "Pa"},
    {"atm", plain, 101325, "Pa"},
    {"Ao", plain, 0.1, "nm"},
    {"b", plain, 1e-28, "m2"},
    {"deg", plain, kPi / 180, "rad"},
    {"gon", plain, kPi / 200, "rad"},
    {"circ", plain, 2 * kPi, "rad"},
    {"sph", plain, 4 * kPi, "sr"},
    {"'", plain, kPi / 10800, "rad"},
    {"''", plain, kPi / 648000, "rad"},
    {"min", plain, 60, "s"},
    {"h", plain, 3600, "s"},
    {"d", plain, 86400, "s"},
    {"wk", plain, 7, "d"},
    {"a_j", plain, 365.25, "d"},
    {"a_g", plain, 365.2425, "d"},
    {"a_t", plain, 365.24219, "d"},
    {"a", plain, 365.25, "d"},
    {"mo_j", plain, 365.25 / 12, "d"},
    {"mo_g", plain, 365.2425 / 12, "d"},
    {"mo_s", plain, 29.53059, "d"},
    {"mo", plain, 365.25 / 12, "d"},
    // constants
    {"[c]", metric, 299792458, "m.s-1"},
    {"[e]", metric, 1.602176634e-19, "C"},
    {"[h]", metric, 6.62607015e-34, "J.s"},
    {"[k]", metric, 1.380649e-23, "J.K-1"},
    {"[g]", metric, 9.80665, "m.s-2"},
    {"[G]", metric, 6.67430e-14, "m3.g-1.s-2"},
    {"[m_e]", metric, 9.1093837139e-28, "g"},
    {"[m_p]", metric, 1.67262192595e-24, "g"},
    {"[mu_0]", metric, 4e-7 * kPi, "N.A-2"},
    {"[eps_0]", metric, 8.854187817e-12, "F.m-1"},
    {"[ly]", metric, 299792458, "m.s-1.a_j"},
    {"eV", metric, 1, "[e].V"},
    {"gf", metric, 1, "g.[g]"},
    // centimetre, gram, second
    {"dyn", metric, 1, "g.cm.s-2"},
    {"erg", metric, 1, "dyn.cm"},
    {"P", metric, 1, "dyn.s.cm-2"},
    {"St", metric, 1, "cm2.s-1"},
    {"Gal", metric, 1, "cm.s-2"},
    {"Ky", metric, 1, "cm-1"},
    {"Bi", metric, 10, "A"},
    {"G", metric, 1e-4, "T"},
    {"Mx", metric, 1e-8, "Wb"},
    {"Oe", metric, 250 / kPi, "A.m-1"},
    {"Gb", metric, 1, "Oe.cm"},
    {"sb", metric, 1, "cd.cm-2"},
    {"Lmb", metric, 1 / kPi, "cd.cm-2"},
    {"ph", metric, 1e4, "lx"},
    {"Ci", metric, 37e9, "Bq"},
    {"R", metric, 2.58e-7, "C.g-1"},
    {"RAD", metric, 100, "erg.g-1"},
    {"REM", metric, 100, "erg.g-1"},
    {"att", plain, 1, "kgf.cm-2"},
    {"Np", metric_logarithmic, 1, ""},
    {"B", metric_logarithmic, 1, ""},
    {"B[SPL]", metric_logarithmic, 1, ""},
    {"B[V]", metric_logarithmic, 1, ""},
    {"B[mV]", metric_logarithmic, 1, ""},
    {"B[uV]", metric_logarithmic, 1, ""},
    {"B[10.nV]", metric_logarithmic, 1, ""},
    {"B[W]", metric_logarithmic, 1, ""},
    {"B[kW]", metric_logarithmic, 1, ""},
    {"bit_s", logarithmic, 1, ""},
    {"bit", metric, 1, ""},
    {"By", metric, 8, ""},
    {"Bd", metric, 1, "s-1"},
    // customary
    {"[in_i]", plain, 2.54, "cm"},
    {"[ft_i]", plain, 12, "[in_i]"},
    {"[yd_i]", plain, 36, "[in_i]"},
    {"[mi_i]", plain, 5280, "[ft_i]"},
    {"[fth_i]", plain, 6, "[ft_i]"},
    {"[nmi_i]", plain, 1852, "m"},
    {"[kn_i]", plain, 1852, "m.h-1"},
    {"[sin_i]", plain, 1, "[in_i]2"},
    {"[sft_i]", plain, 1, "[ft_i]2"},
    {"[syd_i]", plain, 1, "[yd_i]2"},
    {"[cin_i]", plain, 1, "[in_i]3"},
    {"[cft_i]", plain, 1, "[ft_i]3"},
    {"[cyd_i]", plain, 1, "[yd_i]3"},
    {"[gr]", plain, 64.79891, "mg"},
    {"[lb_av]", plain, 7000, "[gr]"},
    {"[oz_av]", plain, 437.5, "[gr]"},
    {"[dr_av]", plain, 27.34375, "[gr]"},
    {"[ston_av]", plain, 2000, "[lb_av]"},
    {"[stone_av]", plain, 14, "[lb_av]"},
    {"[oz_tr]", plain, 480, "[gr]"},
    {"[lb_tr]", plain, 5760, "[gr]"},
    {"[oz_m]", plain, 28, "g"},
    {"[lbf_av]", plain, 1, "[lb_av].[g]"},
    {"[psi]", plain, 1, "[lbf_av].[in_i]-2"},
    {"[gal_us]", plain, 231, "[cin_i]"},
    {"[qt_us]", plain, 57.75, "[cin_i]"},
    {"[pt_us]", plain, 28.875, "[cin_i]"},
    {"[cup_us]", plain, 14.4375, "[cin_i]"},
    {"[foz_us]", plain, 1.8046875, "[cin_i]"},
    {"[fdr_us]", plain, 0.2255859375, "[cin_i]"},
    {"[tbs_us]", plain, 0.90234375, "[cin_i]"},
    {"[tsp_us]", plain, 0.30078125, "[cin_i]"},
    {"[gal_br]", plain, 4.54609, "l"},
    {"[qt_br]", plain, 1.1365225, "l"},
    {"[pt_br]", plain, 0.56826125, "l"},
    {"[foz_br]", plain, 28.4130625, "ml"},
    {"[foz_m]", plain, 30, "ml"},
    {"[cup_m]", plain, 240, "ml"},
    {"[tsp_m]", plain, 5, "ml"},
    {"[tbs_m]", plain, 15, "ml"},
    {"[car_m]", plain, 0.2, "g"},
    // heat
    {"[degR]", plain, 5.0 / 9, "K"},
    {"cal", metric, 4.184, "J"},
    {"cal_th", metric, 4.184, "J"},
    {"cal_IT", metric, 4.1868, "J"},
    {"cal_m", metric, 4.19002, "J"},
    {"cal_[15]", metric, 4.18580, "J"},
    {"cal_[20]", metric, 4.18190, "J"},
    {"[Cal]", plain, 4184, "J"},
    {"[Btu]", plain, 1054.350, "J"},
    {"[Btu_th]", plain, 1054.350, "J"},
    {"[Btu_IT]", plain, 1055.05585262, "J"},
    {"[HP]", plain, 550, "[ft_i].[lbf_av].s-1"},
    {"tex", metric, 1e-3, "g.m-1"},
    // medicine
    {"m[H2O]", metric, 9806.65, "Pa"},
    {"m[Hg]", metric, 133322.0, "Pa"},
    {"[in_i'H2O]", plain, 0.0254, "m[H2O]"},
    {"[in_i'Hg]", plain, 0.0254, "m[Hg]"},
    {"[PRU]", plain, 1, "mm[Hg].s.ml-1"},
    {"[wood'U]", plain, 1, "mm[Hg].min.L-1"},
    {"[diop]", plain, 1, "m-1"},
    {"[p'diop]", logarithmic, 1, ""},
    {"%[slope]", logarithmic, 1, ""},
    {"[mesh_i]", plain, 1, "[in_i]-1"},
    {"[Ch]", plain, 1.0 / 3, "mm"},
    {"[drp]", plain, 0.05, "ml"},
    {"[hnsf'U]", arbitrary, 1, ""},
    {"[MET]", plain, 3.5, "mL.min-1.kg-1"},
    {"[hp_X]", arbitrary, 1, ""},
    {"[hp_C]", arbitrary, 1, ""},
    {"[hp_M]", arbitrary, 1, ""},
    {"[hp_Q]", arbitrary, 1, ""},
    {"[kp_X]", arbitrary, 1, ""},
    {"[kp_C]", arbitrary, 1, ""},
    {"[kp_M]", arbitrary, 1, ""},
    {"[kp_Q]", arbitrary, 1, ""},
    // the laboratory
    {"g%", metric, 1, "g.dl-1"},
    {"[pH]", plain, 1, ""},
    {"[S]", plain, 1e-13, "s"},
    {"[HPF]", plain, 1, ""},
    {"[LPF]", plain, 100, ""},
    {"[NTU]", plain, 1, ""},
    {"[FNU]", plain, 1, ""},
    {"U", metric, 1, "umol.min-1"},
    {"[IU]", metric_arbitrary, 1, ""},
    {"[iU]", metric, 1, "[IU]"},
    {"[arb'U]", arbitrary, 1, ""},
    {"[USP'U]", arbitrary, 1, ""},
    {"[GPL'U]", arbitrary, 1, ""},
    {"[MPL'U]", arbitrary, 1, ""},
    {"[APL'U]", arbitrary, 1, ""},
    {"[beth'U]", arbitrary, 1, ""},
    {"[anti'Xa'U]", arbitrary, 1, ""},
    {"[todd'U]", arbitrary, 1, ""},
    {"[dye'U]", arbitrary, 1, ""},
    {"[smgy'U]", arbitrary, 1, ""},
    {"[bdsk'U]", arbitrary, 1, ""},
    {"[ka'U]", arbitrary, 1, ""},
    {"[knk'U]", arbitrary, 1, ""},
    {"[mclg'U]", arbitrary, 1, ""},
    {"[tb'U]", arbitrary, 1, ""},
    {"[CCID_50]", arbitrary, 1, ""},
    {"[TCID_50]", arbitrary, 1, ""},
    {"[EID_50]", arbitrary, 1, ""},
    {"[PFU]", arbitrary, 1, ""},
    {"[FFU]", arbitrary, 1, ""},
    {"[CFU]", arbitrary, 1, ""},
    {"[IR]", arbitrary, 1, ""},
    {"[BAU]", arbitrary, 1, ""},
    {"[AU]", arbitrary, 1, ""},
    {"[Amb'a'1'U]", arbitrary, 1, ""},
    {"[PNU]", arbitrary, 1, ""},
    {"[Lf]", arbitrary, 1, ""},
    {"[D'ag'U]", arbitrary, 1, ""},
    {"[FEU]", arbitrary, 1, ""},
    {"[ELU]", arbitrary, 1, ""},
    {"[EU]", arbitrary, 1, ""},
};

class Atoms {
 public:
  Atoms();
  const Atom* find(std::string_view code) const {
    const auto found = by_code_.find(code);
    return found == by_code_.end() ? nullptr : &found->second;
  }

 private:
  void add(std::string_view code, bool takes_prefixes, const Unit& unit) {
    by_code_.emplace(code, Atom{code, takes_prefixes, unit});
  }
  void add_base(std::string_view code, Slot slot) {
    Unit unit;
    unit.dimension[slot] = 1;
    add(code, true, unit);
  }
  void add_temperatures();
  Unit product_of(std::string_view term) const;

  std::unordered_map<std::string_view, Atom> by_code_;
};

// A term of a definition: atoms with a prefix at most, exponents, and `.`.
Unit Atoms::product_of(std::string_view term) const {
  Unit product;
  while (!term.empty()) {
    const std::size_t end = std::min(term.find('.'), term.size());
    std::string_view part = term.substr(0, end);
    term.remove_prefix(std::min(end + 1, term.size()));
    int exponent = 1;
    if (part.back() >= '0' && part.back() <= '9') {
      exponent = part.back() - '0';
      part.remove_suffix(1);
      if (part.back() == '-') {
        exponent = -exponent;
        part.remove_suffix(1);
      }
    }
    double factor = 1;
    const Atom* atom = find(part);
    if (atom == nullptr) {
      for (const Prefix& prefix : kPrefixes) {
        if (prefix.code == part.substr(0, 1)) factor = prefix.factor;
      }
      atom = find(part.substr(1));
    }
    product.factor *= std::pow(factor * atom->unit.factor, exponent);
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      product.dimension[slot] =
          static_cast<std::int8_t>(product.dimension[slot] + exponent * atom->unit.dimension[slot]);
    }
  }
  return product;
}

void Atoms::add_temperatures() {
  Unit unit;
  unit.dimension[kKelvin] = 1;
  unit.offset = 273.15;
  add("Cel", true, unit);
  unit.factor = 5.0 / 9;
  unit.offset = 459.67 * 5 / 9;
  add("[degF]", false, unit);
  unit.factor = 5.0 / 4;
  unit.offset = 273.15;
  add("[degRe]", false, unit);
}

Atoms::Atoms() {
  add_base("m", kMetre);
  add_base("s", kSecond);
  add_base("g", kGram);
  add_base("rad", kRadian);
  add_base("K", kKelvin);
  add_base("C", kCoulomb);
  add_base("cd", kCandela);
  add_base("mol", kMole);
  add_base("eq", kEquivalent);
  add_temperatures();
  std::size_t slot = kFirstArbitrary;
  for (const Definition& definition : kDefinitions) {
    Unit unit = product_of(definition.term);
    unit.factor *= definition.value;
    const Kind kind = definition.kind;
    if (kind >= arbitrary) {
      unit.dimension[slot] = 1;
      ++slot;
    }
    add(definition.code, kind == metric || kind == metric_arbitrary || kind == metric_logarithmic,
        unit);
  }
}

const Atoms& atoms() {
  static const Atoms all;
  return all;
}

constexpr std::size_t slots_needed() {
  std::size_t slots = kFirstArbitrary;
  for (const Definition& definition : kDefinitions) slots += definition.kind >= arbitrary;
  return slots;
}
static_assert(slots_needed() <= kSlots);

}  // namespace

std::span<const Prefix> prefixes() {
  return kPrefixes;
}

const Atom* find_atom(std::string_view code) {
  return atoms().find(code);
}

}  // namespace cannula::units
