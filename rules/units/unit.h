// Units of measure as laboratories use them: UCUM terms (ucum.org, section 2.2), and what feeds
// write instead of them.
//
//   auto laboratory = Unit::read("MG/DL");            // mg/dL
//   auto published = *Unit::parse("g/L");
//   convert(85, *laboratory, published);              // 0.85
//
// A unit is a factor over a dimension: exponents of the base units, of the mole, of the equivalent
// and of each arbitrary unit (such as [IU]), which can be compared with nothing but itself. Where
// this differs from UCUM, it is so that different things are not compared by mistake:
//   * The mole is a dimension, not a number: 1 mmol/L and 6.02e20/L are not comparable.
//   * The equivalent is a dimension as well, and becomes moles by the charge of the ion; UCUM takes
//     the charge as 1, and so does a Substance that says nothing else.
//   * The logarithmic units ([pH], B, Np …) are read, but only comparable with themselves; [pH] is
//     a plain number, since that is how a pH is reported.
// All functions may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula::units {

// The first slots of a dimension; from kFirstArbitrary on each arbitrary or logarithmic unit has
// one of its own.
enum Slot : std::uint8_t {
  kMetre,
  kSecond,
  kGram,
  kRadian,
  kKelvin,
  kCoulomb,
  kCandela,
  kMole,
  kEquivalent,
  kFirstArbitrary
};
inline constexpr std::size_t kSlots = 64;
using Dimension = std::array<std::int8_t, kSlots>;

struct Unit {
  double factor = 1;      // one of this unit in base units
  double offset = 0;      // in base units; of Cel and [degF] alone, a difference in K elsewhere
  Dimension dimension{};  // exponents
  bool operator==(const Unit&) const = default;

  // A UCUM term, case-sensitive: "mmol/L", "10*9/L", "mL/min/{1.73_m2}". Empty is 1. Fails (R301)
  // with the place in `text` where it stops being one.
  static Result<Unit> parse(std::string_view text);
  // Whether `text` is a term whose atoms and prefixes a clinical message can mean: not so of
  // MG/dL, which UCUM reads as megagauss by decilitre, u/L (atomic mass unit), MU/L (megaunit).
  static bool is_clinical(std::string_view text);
  // A term that is_clinical(), or what laboratories write instead: "mEq/L", "K/uL", "x10E9/L",
  // "MG/DL", "Mg/dL", "mM", "sec", "mm Hg", "µg/L". Of gram, litre, mole, unit, equivalent and
  // osmole the prefix may have either case. nullopt when it is neither, and when it has two
  // readings.
  static std::optional<Unit> read(std::string_view text);
  // The UCUM term of what read() takes: "mg/dL" for "MG/DL"; nullopt when it is no unit.
  static std::optional<std::string> ucum_of(std::string_view text);

  bool is_number() const;  // no dimension: 1, %, 10*3, {annotation}
};

// What must be known of a substance to convert amounts into masses and charges into amounts.
struct Substance {
  int charge = 1;                    // moles of charges in a mole: 1 to 9
  std::optional<double> molar_mass;  // g/mol
  // Enzymes: U (umol/min) and the "IU" that feeds write for it are the same. Only meant for units
  // of one and the same analyte.
  bool international_unit_is_enzyme_unit = false;
};

bool comparable(const Unit& a, const Unit& b, const Substance& substance = {});
// `value` of `from`, in `to`; nullopt when they are not comparable.
std::optional<double> convert(double value, const Unit& from, const Unit& to,
                              const Substance& substance = {});

// The kind of quantity in words, for messages: "an amount per volume", "a time"; in base units
// ("g.m-1.s-2") where there is no usual name.
std::string kind_of(const Unit& unit);

// Why read() does not take a text that laboratories use in two ways, as UCUM terms: "MU/L" is
// {"mU/L", "10*6.U/L"}, "G/L" {"g/L", "10*9/L"}. nullopt for all other texts.
struct TwoReadings {
  std::string one;
  std::string other;
};
std::optional<TwoReadings> two_readings(std::string_view text);

// The unit that was probably meant, for "did you mean …?".
std::optional<std::string> nearest_unit(std::string_view text);

}  // namespace cannula::units
