#include "rules/units/unit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::units {
namespace {

Unit unit(std::string_view text) {
  const auto parsed = Unit::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : Unit{};
}

double converted(double value, std::string_view from, std::string_view to,
                 const Substance& substance = {}) {
  const auto a = Unit::read(from);
  const auto b = Unit::read(to);
  EXPECT_TRUE(a && b) << from << " " << to;
  if (!a || !b) return 0;
  const auto result = convert(value, *a, *b, substance);
  EXPECT_TRUE(result.has_value()) << from << " in " << to;
  return result.value_or(0);
}

Substance of_charge(int charge) {
  Substance substance;
  substance.charge = charge;
  return substance;
}

Substance of_an_enzyme() {
  Substance substance;
  substance.international_unit_is_enzyme_unit = true;
  return substance;
}

TEST(Units, TheUnitsOfTheLaboratoryAreConverted) {
  EXPECT_DOUBLE_EQ(converted(7.1, "mmol/L", "umol/L"), 7100);
  EXPECT_DOUBLE_EQ(converted(85, "mg/dL", "g/L"), 0.85);
  EXPECT_DOUBLE_EQ(converted(52, "ng/L", "pg/mL"), 52);
  EXPECT_DOUBLE_EQ(converted(4.5, "10*9/L", "10*3/uL"), 4.5);
  EXPECT_DOUBLE_EQ(converted(1, "ukat/L", "U/L"), 60);
  EXPECT_DOUBLE_EQ(converted(760, "mm[Hg]", "kPa"), 101.32472);
  EXPECT_DOUBLE_EQ(converted(90, "fL", "um3"), 90);
  EXPECT_DOUBLE_EQ(converted(30, "pg", "ng"), 0.03);
  EXPECT_DOUBLE_EQ(converted(2, "h", "min"), 120);
  EXPECT_DOUBLE_EQ(converted(3, "d", "h"), 72);
  EXPECT_DOUBLE_EQ(converted(150, "cm", "m"), 1.5);
  EXPECT_DOUBLE_EQ(converted(6.5, "%", "1"), 0.065);
}

TEST(Units, TemperaturesHaveAnOffset) {
  EXPECT_NEAR(converted(37, "Cel", "[degF]"), 98.6, 1e-9);
  EXPECT_NEAR(converted(104, "[degF]", "Cel"), 40, 1e-9);
  EXPECT_NEAR(converted(0, "Cel", "K"), 273.15, 1e-9);
}

TEST(Units, AnEquivalentIsAMoleByTheCharge) {
  EXPECT_DOUBLE_EQ(converted(6.3, "meq/L", "mmol/L"), 6.3);
  EXPECT_DOUBLE_EQ(converted(4.8, "meq/L", "mmol/L", of_charge(2)), 2.4);
  EXPECT_DOUBLE_EQ(converted(2.4, "mmol/L", "mEq/L", of_charge(2)), 4.8);
}

TEST(Units, AMassBecomesAnAmountOnlyByAMolarMass) {
  EXPECT_FALSE(comparable(unit("mg/dL"), unit("umol/L")));
  Substance creatinine;
  creatinine.molar_mass = 113.12;
  EXPECT_NEAR(converted(1, "mg/dL", "umol/L", creatinine), 88.4, 0.01);
  EXPECT_NEAR(converted(88.4, "umol/L", "mg/dL", creatinine), 1, 1e-4);
}

TEST(Units, DifferentThingsAreNotComparable) {
  EXPECT_FALSE(comparable(unit("mmol/L"), unit("10*9/L")));
  EXPECT_FALSE(comparable(unit("U/L"), unit("[IU]/L")));
  EXPECT_FALSE(comparable(unit("[IU]/L"), unit("[arb'U]/L")));
  EXPECT_FALSE(comparable(unit("mmol/L"), unit("mmol")));
  EXPECT_FALSE(comparable(unit("%"), unit("mol")));
  EXPECT_TRUE(comparable(unit("%"), unit("mmol/mol")));
}

TEST(Units, OfAnEnzymeTheInternationalUnitIsItsUnit) {
  EXPECT_DOUBLE_EQ(converted(40, "IU/L", "U/L", of_an_enzyme()), 40);
  EXPECT_DOUBLE_EQ(converted(2, "mIU/mL", "U/L", of_an_enzyme()), 2);
}

TEST(Units, WhatLaboratoriesWriteIsRead) {
  const std::pair<std::string_view, std::string_view> spellings[] = {
      {"mEq/L", "meq/L"},
      {"MEQ/L", "meq/L"},
      {"MMOL/L", "mmol/L"},
      {"MG/DL", "mg/dL"},
      {"MG/L", "mg/L"},
      {"mg/dl", "mg/dl"},
      {"G/DL", "g/dL"},
      {"g/dL", "g/dL"},
      {"gm/dL", "g/dL"},
      {"PG/ML", "pg/mL"},
      {"NG/ML", "ng/mL"},
      {"PG", "pg"},
      {"FL", "fL"},
      {"K/uL", "10*3/uL"},
      {"K/UL", "10*3/uL"},
      {"M/uL", "10*6/uL"},
      {"x10E9/L", "10*9/L"},
      {"10E9/L", "10*9/L"},
      {"X10(9)/L", "10*9/L"},
      {"10^9/L", "10*9/L"},
      {"x10^3/uL", "10*3/uL"},
      {"10*3/uL", "10*3/uL"},
      {"10**9/L", "10*9/L"},
      {"Thousand/uL", "10*3/uL"},
      {"IU/L", "[IU]/L"},
      {"mIU/mL", "m[IU]/mL"},
      {"uIU/mL", "u[IU]/mL"},
      {"U/L", "U/L"},
      {"UNITS/L", "U/L"},
      {"mcg/dL", "ug/dL"},
      {"µg/L", "ug/L"},
      {"μmol/L", "umol/L"},
      {"sec", "s"},
      {"SECS", "s"},
      {"mm Hg", "mm[Hg]"},
      {"MMHG", "mm[Hg]"},
      {"°C", "Cel"},
      {"mm/hr", "mm/h"},
      {"C", "Cel"},
      {"mOsm/kg", "mosm/kg"},
      {"/HPF", "/[HPF]"},
      {"mL/min/1.73 m2", "mL/min/{1.73_m2}"},
      {"copies/mL", "1/mL"},
      {"g/24h", "g/d"},
      {"ratio", "1"},
      {"%", "%"},
      {"mmol/L", "mmol/L"},
      {"{INR}", "{INR}"},
      {"INR", "1"}};
  for (const auto& [written, ucum] : spellings) {
    EXPECT_EQ(Unit::ucum_of(written).value_or("none"), ucum) << written;
  }
  for (const std::string_view nonsense : {"foo", "mmol//L", "/", "mg/", "", "see note", "\xff"}) {
    EXPECT_FALSE(Unit::ucum_of(nonsense).has_value()) << nonsense;
  }
}

TEST(Units, TheErrorNamesThePartThatIsNoUnit) {
  const auto failed = Unit::parse("mmol/Liter");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, "R301");
  EXPECT_EQ(failed.error().message, "`mmol/Liter` is no unit of UCUM: `Liter` is no unit");
  EXPECT_EQ(failed.error().span, (Span{5, 6}));
  EXPECT_EQ(Unit::parse("m/").error().message,
            "`m/` is no unit of UCUM: something is missing at its end");
}

TEST(Units, DeepAndLongTermsEnd) {
  EXPECT_FALSE(Unit::parse(std::string(150, '(') + "m" + std::string(150, ')')).has_value());
  EXPECT_FALSE(Unit::parse(std::string(100'000, 'm')).has_value());
  EXPECT_FALSE(Unit::parse("m100").has_value());
}

TEST(Units, AKindHasAName) {
  EXPECT_EQ(kind_of(unit("mmol/L")), "an amount of substance per volume");
  EXPECT_EQ(kind_of(unit("mg/dL")), "a mass per volume");
  EXPECT_EQ(kind_of(unit("10*9/L")), "a number per volume");
  EXPECT_EQ(kind_of(unit("%")), "a plain number");
  EXPECT_EQ(kind_of(unit("g.m")), "a quantity in m.g");
  EXPECT_EQ(nearest_unit("mmol/l/").value_or(""), "mmol/L");
}

}  // namespace
}  // namespace cannula::units
