// What feeds write as units, right and wrong, and what it means. A unit that is read falsely makes
// a rule about a critical result silent, and is filed as a code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/units/unit.h"

namespace cannula::units {
namespace {

struct Case {
  std::string_view written;
  std::string_view ucum;  // empty: not known
};

void expect(std::span<const Case> cases) {
  for (const auto& [written, ucum] : cases) {
    EXPECT_EQ(Unit::ucum_of(written).value_or(""), ucum) << written;
    EXPECT_EQ(Unit::read(written).has_value(), !ucum.empty()) << written;
  }
}

TEST(Spellings, APrefixInTheWrongCaseIsTheOneOfTheLaboratory) {
  static constexpr Case kCases[] = {{"MG/dL", "mg/dL"},
                                    {"Mg/dL", "mg/dL"},
                                    {"mG/dL", "mg/dL"},
                                    {"MG/DL", "mg/dL"},
                                    {"Mg/Dl", "mg/dL"},
                                    {"Mg/dl", "mg/dl"},
                                    {"MG/ML", "mg/mL"},
                                    {"MG/L", "mg/L"},
                                    {"Mg/L", "mg/L"},
                                    {"G/dL", "g/dL"},
                                    {"G/DL", "g/dL"},
                                    {"G/dl", "g/dl"},
                                    {"Gm/dL", "g/dL"},
                                    {"GM/DL", "g/dL"},
                                    {"PG/mL", "pg/mL"},
                                    {"Pg/mL", "pg/mL"},
                                    {"pG/mL", "pg/mL"},
                                    {"PG/ML", "pg/mL"},
                                    {"Pg", "pg"},
                                    {"PG", "pg"},
                                    {"NG/mL", "ng/mL"},
                                    {"Ng/dL", "ng/dL"},
                                    {"nG/mL", "ng/mL"},
                                    {"UG/dL", "ug/dL"},
                                    {"uG/dL", "ug/dL"},
                                    {"\u00b5G/L", "ug/L"},
                                    {"MCG/mL", "ug/mL"},
                                    {"Mcg/dL", "ug/dL"},
                                    {"KG", "kg"},
                                    {"Kg", "kg"},
                                    {"kG", "kg"},
                                    {"Kg/m2", "kg/m2"},
                                    {"KG/M2", "kg/m2"},
                                    {"ML/min", "mL/min"},
                                    {"Ml/min", "mL/min"},
                                    {"ML/MIN", "mL/min"},
                                    {"ML", "mL"},
                                    {"Dl", "dL"},
                                    {"mg/DL", "mg/dL"},
                                    {"/UL", "/uL"},
                                    {"/Ul", "/uL"},
                                    {"FL", "fL"},
                                    {"Fl", "fL"},
                                    {"MMOL/L", "mmol/L"},
                                    {"Mmol/L", "mmol/L"},
                                    {"mMol/L", "mmol/L"},
                                    {"MMol/l", "mmol/l"},
                                    {"UMOL/L", "umol/L"},
                                    {"Umol/L", "umol/L"},
                                    {"NMOL/L", "nmol/L"},
                                    {"Nmol/L", "nmol/L"},
                                    {"PMOL/L", "pmol/L"},
                                    {"Pmol/L", "pmol/L"},
                                    {"MMOL/MOL", "mmol/mol"},
                                    {"MEQ/L", "meq/L"},
                                    {"MEq/L", "meq/L"},
                                    {"Meq/L", "meq/L"},
                                    {"UEQ/L", "ueq/L"},
                                    {"MOSM/KG", "mosm/kg"},
                                    {"MOsm/kg", "mosm/kg"},
                                    {"mOsmol/kg", "mosm/kg"}};
  expect(kCases);
}

TEST(Spellings, UIsTheUnitAndNotTheMassOfAnAtom) {
  static constexpr Case kCases[] = {
      {"u/L", "U/L"},          {"u/l", "U/l"},         {"mu/L", "mU/L"},
      {"mu/mL", "mU/mL"},      {"ku/L", "kU/L"},       {"uu/mL", "uU/mL"},
      {"UU/ML", "uU/mL"},      {"KU/L", "kU/L"},       {"Ku/L", "kU/L"},
      {"iu/L", "[IU]/L"},      {"Iu/mL", "[IU]/mL"},   {"IU/ML", "[IU]/mL"},
      {"miu/L", "m[IU]/L"},    {"mIU/L", "m[IU]/L"},   {"mIu/mL", "m[IU]/mL"},
      {"uIU/mL", "u[IU]/mL"},  {"UIU/ML", "u[IU]/mL"}, {"\u03bcIU/mL", "u[IU]/mL"},
      {"mcIU/mL", "u[IU]/mL"}, {"KIU/L", "k[IU]/L"},   {"[iu]/L", "[IU]/L"},
      {"m[iU]/L", "m[iU]/L"},  {"UKAT/L", "ukat/L"},   {"nKat/L", "nkat/L"},
      {"Units/L", "U/L"},      {"U/G", "U/g"}};
  expect(kCases);
}

// MU/L of a thyroid is a milliunit, of penicillin a million: a factor of 10^9 lies between them.
TEST(Spellings, OfMegaAndMilliUnitsNoneIsTaken) {
  static constexpr Case kCases[] = {
      {"MU/L", ""},
      {"Mu/L", ""},
      {"MU/mL", ""},
      {"MU", ""},
      {"MIU/L", ""},
      {"Miu/L", ""},
      {"MIU/mL", ""},
      {"MIU", ""},
      {"M[IU]/L", ""},
      {"M[iU]/mL", ""},
      {"UU/MIU", ""},
      // … but where the rest is in capitals as well it is that sender's way of writing m.
      {"MU/ML", "mU/mL"},
      {"MIU/ML", "m[IU]/mL"},
      {"MIU/DL", "m[IU]/dL"},
      {"MIU/24HR", "m[IU]/d"}};
  expect(kCases);
  const auto readings = two_readings("MU/L");
  ASSERT_TRUE(readings.has_value());
  EXPECT_EQ(readings->one, "mU/L");
  EXPECT_EQ(readings->other, "10*6.U/L");
  EXPECT_FALSE(two_readings("MU/ML").has_value());
  EXPECT_FALSE(two_readings("mU/L").has_value());
  EXPECT_FALSE(two_readings("blobs").has_value());
}

TEST(Spellings, AMolarIsAMolePerLitre) {
  static constexpr Case kCases[] = {
      {"mM", "mmol/L"},  {"uM", "umol/L"},  {"\u00b5M", "umol/L"}, {"nM", "nmol/L"},
      {"pM", "pmol/L"},  {"fM", "fmol/L"},  {"mM/L", "mmol/L"},    {"uM/l", "umol/L"},
      {"mm", "mm"},      {"um", "um"},      {"nm", "nm"},          {"m", "m"},
      {"mm/h", "mm/h"},  {"MM/HR", "mm/h"}, {"MM/H", "mm/h"},      {"mm/hr", "mm/h"},
      {"Mm/Hr", "mm/h"}, {"MM3", "mm3"},    {"MMHG", "mm[Hg]"},    {"Mm Hg", "mm[Hg]"},
      {"mM/24h", ""},    {"MM/DL", ""}};
  expect(kCases);
}

TEST(Spellings, WhatLaboratoriesWriteForTwoThingsIsNotKnown) {
  static constexpr Case kCases[] = {{"G/L", ""},  // grams, and leucocytes in Giga/L
                                    {"g/L", "g/L"},       {"GM/L", "g/L"},    {"Giga/L", "10*9/L"},
                                    {"Gpt/l", "10*9/l"},  {"T/L", "10*12/L"}, {"Tera/L", "10*12/L"},
                                    {"Tpt/L", "10*12/L"}, {"M", ""},  // metres and moles per litre
                                    {"MM", ""},           {"Mm", ""},         {"UM", ""},
                                    {"NM", ""},           {"M/L", ""},        {"MM/L", ""},
                                    {"mm/L", ""},         {"mil/uL", ""},     {"MS", ""},
                                    {"mS", ""},           {"ms", "ms"},       {"mS/cm", "mS/cm"}};
  expect(kCases);
  EXPECT_EQ(two_readings("G/L")->other, "10*9/L");
}

TEST(Spellings, WhatNobodyMeasuresIsNoUnit) {
  static constexpr Case kCases[] = {{"N/A", ""},
                                    {"n/a", ""},
                                    {"NA", ""},
                                    {"A", ""},
                                    {"P", ""},
                                    {"V/V", ""},
                                    {"S/C", ""},
                                    {"S/CO", ""},
                                    {"GG/L", ""},
                                    {"Gg/L", ""},
                                    {"Tg/L", ""},
                                    {"Eg", ""},
                                    {"EU/dL", ""},
                                    {"TU", ""},
                                    {"GU/mL", ""},
                                    {"K/L", ""},
                                    {"K/dL", ""},
                                    {"\u00b5", ""},
                                    {"10^3/\u00b5", ""},
                                    {"MV", ""},
                                    {"MA", ""},
                                    {"mC", ""},
                                    {"log copies/mL", ""},
                                    {"mg/mL FEU", ""}};
  expect(kCases);
}

TEST(Spellings, OfTheLaboratoryAndTheWard) {
  static constexpr Case kCases[] = {// right as they are
                                    {"mmol/L", "mmol/L"},
                                    {"mg/dL", "mg/dL"},
                                    {"g/dL", "g/dL"},
                                    {"ng/mL", "ng/mL"},
                                    {"pg/mL", "pg/mL"},
                                    {"ug/L", "ug/L"},
                                    {"U/L", "U/L"},
                                    {"mU/L", "mU/L"},
                                    {"kU/L", "kU/L"},
                                    {"[IU]/mL", "[IU]/mL"},
                                    {"m[IU]/mL", "m[IU]/mL"},
                                    {"meq/L", "meq/L"},
                                    {"mosm/kg", "mosm/kg"},
                                    {"10*3/uL", "10*3/uL"},
                                    {"10*9/L", "10*9/L"},
                                    {"10*12/L", "10*12/L"},
                                    {"fL", "fL"},
                                    {"pg", "pg"},
                                    {"%", "%"},
                                    {"/[HPF]", "/[HPF]"},
                                    {"mm[Hg]", "mm[Hg]"},
                                    {"Cel", "Cel"},
                                    {"mL/min/{1.73_m2}", "mL/min/{1.73_m2}"},
                                    {"{ratio}", "{ratio}"},
                                    {"nmol/L", "nmol/L"},
                                    {"mmol/mol", "mmol/mol"},
                                    {"ug/mL{FEU}", "ug/mL{FEU}"},
                                    {"g/(24.h)", "g/(24.h)"},
                                    {"nkat/L", "nkat/L"},
                                    {"mg/g", "mg/g"},
                                    {"kPa", "kPa"},
                                    {"s", "s"},
                                    {"kcal", "kcal"},
                                    {"MBq", "MBq"},
                                    {"mV", "mV"},
                                    {"dB", "dB"},
                                    {"K", "K"},
                                    {"cP", "cP"},
                                    // as feeds have them
                                    {"mEq/L", "meq/L"},
                                    {"mVal/L", "meq/L"},
                                    {"K/uL", "10*3/uL"},
                                    {"K/mcL", "10*3/uL"},
                                    {"K/\u00b5L", "10*3/uL"},
                                    {"K/cumm", "10*3/uL"},
                                    {"K/mL", "10*3/mL"},
                                    {"M/uL", "10*6/uL"},
                                    {"M/mcL", "10*6/uL"},
                                    {"Thou/uL", "10*3/uL"},
                                    {"Million/uL", "10*6/uL"},
                                    {"Tsd/\u00b5l", "10*3/ul"},
                                    {"Mio/\u00b5l", "10*6/ul"},
                                    {"10^3/uL", "10*3/uL"},
                                    {"x10^6/uL", "10*6/uL"},
                                    {"x10(9)/L", "10*9/L"},
                                    {"10E12/L", "10*12/L"},
                                    {"cells/uL", "1/uL"},
                                    {"#/HPF", "1/[HPF]"},
                                    {"/hpf", "/[HPF]"},
                                    {"sec", "s"},
                                    {"Seconds", "s"},
                                    {"msec", "ms"},
                                    {"mm/1hr", "mm/h"},
                                    {"pH", "[pH]"},
                                    {"PH", "[pH]"},
                                    {"pH units", "[pH]"},
                                    {"mg%", "mg%"},
                                    {"Mg%", "mg%"},
                                    {"mg/100 mL", "mg/dL"},
                                    {"mL/min/1.73m\u00b2", "mL/min/{1.73_m2}"},
                                    {"ML/min/1.73 m2", "mL/min/{1.73_m2}"},
                                    {"mg/24h", "mg/d"},
                                    {"mEq/24 hr", "meq/d"},
                                    {"mg/g creat", "mg/g"},
                                    {"U/g Hb", "U/g{Hb}"},
                                    {"AU/mL", "[arb'U]/mL"},
                                    {"GPL", "[GPL'U]"},
                                    {"CFU/mL", "[CFU]/mL"},
                                    {"mmHg", "mm[Hg]"},
                                    {"mL/H", "mL/h"},
                                    {"mls/hr", "mL/h"},
                                    {"deg C", "Cel"},
                                    {"\u00baC", "Cel"},
                                    {"lbs", "[lb_av]"},
                                    {"kg/m^2", "kg/m2"},
                                    {"beats/min", "/min"},
                                    {"INR", "1"},
                                    {"mm\u00a0Hg", "mm[Hg]"}};
  expect(kCases);
}

TEST(Spellings, TheLaboratorysUnitIsConvertedRight) {
  const auto in = [](double value, std::string_view from, std::string_view to) {
    return convert(value, *Unit::read(from), *Unit::read(to)).value_or(-1);
  };
  EXPECT_DOUBLE_EQ(in(30, "Mg/dL", "mg/dL"), 30);
  EXPECT_DOUBLE_EQ(in(5, "G/dL", "g/L"), 50);
  EXPECT_DOUBLE_EQ(in(6.9, "mM", "mmol/L"), 6.9);
  EXPECT_DOUBLE_EQ(in(8, "ML/min", "mL/min"), 8);
}

TEST(Spellings, TermsOfUcumThatAreNotOfTheClinic) {
  for (const std::string_view term : {"mg/dL", "mmol/L", "10*3/uL", "{INR}", "1", "U/g{Hb}", "K",
                                      "mS/cm", "cm[H2O]", "MBq/kg", "g/(24.h)", "mol.m-3"}) {
    EXPECT_TRUE(Unit::is_clinical(term)) << term;
  }
  for (const std::string_view term : {"MG/dL", "Mg/dL", "u/L", "MU/L", "M[IU]/L", "G/L", "K/uL",
                                      "pH", "mL/H", "ML/min", "Gm/dL", "mg/dl/ML", "(Mg)/L"}) {
    EXPECT_TRUE(Unit::parse(term).has_value()) << term;
    EXPECT_FALSE(Unit::is_clinical(term)) << term;
  }
  EXPECT_FALSE(Unit::is_clinical("blobs"));
}

}  // namespace
}  // namespace cannula::units
