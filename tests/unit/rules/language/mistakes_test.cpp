// What people write by mistake, and the whole of what they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/language/compiled.h"

namespace cannula::rules {
namespace {

// A rule with one clause of its own, on lines 2 to 5, behind the term of line 1.
std::string rule(const std::string& clause) {
  return "term potassium is loinc \"2823-3\" measured in mmol/L\n"
         "rule critical-potassium version 1 effective 2026-01-01\n"
         "  on result potassium\n"
         "  " +
         clause +
         "\n"
         "  then critical \"Potassium {value}\"\n";
}

TEST(Mistakes, AMisspelledWord) {
  EXPECT_EQ(errors_of(rule("wen value > 6.2 mmol/L")),
            "labs.rules:4:3: error[R201]: `wen` cannot stand here; expected is `,` or a clause "
            "(`on`, `when`, `unless`, `then`, `test` …)\n"
            "    4 |   wen value > 6.2 mmol/L\n"
            "      |   ^~~\n"
            "      = hint: did you mean `when`?\n");
}

TEST(Mistakes, AMisspelledTerm) {
  EXPECT_EQ(errors_of(rule("when result potasium > 6.2 mmol/L")),
            "labs.rules:4:15: error[R203]: there is no term `potasium` in this file\n"
            "    4 |   when result potasium > 6.2 mmol/L\n"
            "      |               ^~~~~~~~\n"
            "      = hint: did you mean `potassium`?\n");
}

TEST(Mistakes, AnAgeOfNobody) {
  EXPECT_EQ(errors_of(rule("when age > 16 years")),
            "labs.rules:4:8: error[R201]: `age` cannot stand here without saying whose it is\n"
            "    4 |   when age > 16 years\n"
            "      |        ^~~\n"
            "      = hint: did you mean `patient age`?\n");
}

TEST(Mistakes, AMistypedLoincCode) {
  EXPECT_EQ(
      errors_of("term potassium is loinc \"2823-4\"\n"),
      "labs.rules:1:25: error[R224]: `2823-4` is no LOINC code: the check digit of 2823 is 3\n"
      "    1 | term potassium is loinc \"2823-4\"\n"
      "      |                         ^~~~~~~~\n"
      "      = hint: did you mean 2823-3? Look the code up: any of its digits may be the "
      "mistyped one\n");
}

TEST(Mistakes, ALocalCodeAsLoincCode) {
  EXPECT_EQ(errors_of("term potassium is loinc \"K\"\n"),
            "labs.rules:1:25: error[R224]: `K` is no LOINC code, which is digits, a hyphen and a "
            "check digit, such as 2823-3\n"
            "    1 | term potassium is loinc \"K\"\n"
            "      |                         ^~~\n"
            "      = hint: a code of the laboratory's own is written code \"K\"\n");
}

TEST(Mistakes, AUnitOfTheWrongKind) {
  EXPECT_EQ(errors_of(rule("when value > 24 mg/dL")),
            "labs.rules:4:16: error[R208]: mg/dL is a mass per volume, but potassium is measured "
            "in mmol/L, an amount of substance per volume\n"
            "    4 |   when value > 24 mg/dL\n"
            "      |                ^~~~~~~~\n"
            "      = hint: write it in mmol/L, or give the term its molar mass: molar mass … "
            "g/mol\n");
}

TEST(Mistakes, AUnitThatIsNone) {
  EXPECT_EQ(errors_of(rule("when value > 6.2 mmol/Liter")),
            "labs.rules:4:20: error[R207]: `mmol/Liter` is no unit\n"
            "    4 |   when value > 6.2 mmol/Liter\n"
            "      |                    ^~~~~~~~~~\n"
            "      = hint: units are written as in mmol/L, mg/dL, 10*9/L, U/L, %\n");
}

TEST(Mistakes, AUnitThatIsUsedForTwo) {
  EXPECT_EQ(errors_of(rule("when value > 0.1 MU/L")),
            "labs.rules:4:20: error[R207]: `MU/L` is used for two units\n"
            "    4 |   when value > 0.1 MU/L\n"
            "      |                    ^~~~\n"
            "      = hint: write mU/L or 10*6.U/L\n");
}

TEST(Mistakes, ANumberWithoutItsUnit) {
  EXPECT_EQ(errors_of(rule("when value > 6.2")),
            "labs.rules:4:16: error[R209]: 6.2 has no unit, but potassium is measured in mmol/L\n"
            "    4 |   when value > 6.2\n"
            "      |                ^~~\n"
            "      = hint: write 6.2 mmol/L, if that is meant\n");
}

TEST(Mistakes, AConditionThatNeverHolds) {
  EXPECT_EQ(errors_of(rule("when value < 2.8 mmol/L and value > 6.2 mmol/L")),
            "labs.rules:4:8: error[R210]: this never holds: no value is below 2.8 mmol/L and above "
            "6.2 mmol/L\n"
            "    4 |   when value < 2.8 mmol/L and value > 6.2 mmol/L\n"
            "      |        ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
            "      = hint: join them with `or`, if either is meant\n");
}

TEST(Mistakes, ADecimalComma) {
  EXPECT_EQ(errors_of(rule("when value > 6,2 mmol/L")),
            "labs.rules:4:17: error[R201]: numbers are written with a point, not with a comma\n"
            "    4 |   when value > 6,2 mmol/L\n"
            "      |                 ^\n"
            "      = hint: write 2.8 for 2,8, and 1000 for 1,000\n");
}

TEST(Mistakes, ATextThatIsNotClosed) {
  EXPECT_EQ(errors_of(rule("source \"the handbook")),
            "labs.rules:4:10: error[R202]: this text has no closing quotation mark on its line\n"
            "    4 |   source \"the handbook\n"
            "      |          ^\n"
            "      = hint: a text begins and ends with \" on one line; inside of it write \\\" for "
            "one\n");
}

TEST(Mistakes, CurvedQuotationMarks) {
  EXPECT_EQ(
      errors_of(rule("source “the handbook”")),
      "labs.rules:4:10: error[R202]: “ is not the quotation mark that a text stands in\n"
      "    4 |   source “the handbook”\n"
      "      |          ^\n"
      "      = hint: write straight ones, as in \"Potassium {value}\"; word processors change "
      "them\n");
}

TEST(Mistakes, APlaceThatStandsForNothing) {
  EXPECT_EQ(errors_of("term potassium is loinc \"2823-3\"\n"
                      "rule r version 1 effective 2026-01-01 on result potassium\n"
                      "  then critical \"Potassium {valeu}\"\n"),
            "labs.rules:3:17: error[R215]: {valeu} stands for nothing\n"
            "    3 |   then critical \"Potassium {valeu}\"\n"
            "      |                 ^~~~~~~~~~~~~~~~~~~\n"
            "      = hint: did you mean {value}?\n");
}

TEST(Mistakes, ARuleWithoutThen) {
  EXPECT_EQ(errors_of("term potassium is loinc \"2823-3\"\n"
                      "rule r version 1 effective 2026-01-01 on result potassium\n"),
            "labs.rules:2:6: error[R206]: r has no `then`\n"
            "    2 | rule r version 1 effective 2026-01-01 on result potassium\n"
            "      |      ^\n"
            "      = hint: add it, as in: then critical \"Potassium {value}\"\n");
}

TEST(Mistakes, ADayThatIsNotInTheCalendar) {
  EXPECT_EQ(errors_of("term potassium is loinc \"2823-3\"\n"
                      "rule r version 1 effective 2026-02-30 on result potassium\n"
                      "  then info \"x\"\n"),
            "labs.rules:2:28: error[R214]: there is no day 2026-02-30\n"
            "    2 | rule r version 1 effective 2026-02-30 on result potassium\n"
            "      |                            ^~~~~~~~~~\n"
            "      = hint: dates are written year, month, day: 2026-01-31\n");
}

TEST(Mistakes, TwoRulesOfOneNameOnTheSameDays) {
  const std::string text =
      "term potassium is loinc \"2823-3\"\n"
      "rule r version 1 effective 2026-01-01 on result potassium then info \"x\"\n"
      "rule r version 2 effective 2027-01-01 on result potassium then info \"x\"\n";
  EXPECT_EQ(errors_of(text),
            "labs.rules:3:6: error[R211]: there are two rules r in effect on the same days: "
            "version 1 on line 2, and version 2 here\n"
            "    3 | rule r version 2 effective 2027-01-01 on result potassium then info \"x\"\n"
            "      |      ^\n"
            "      = hint: end the older with `until 2026-12-31`, or give one of them another "
            "name\n");
}

TEST(Mistakes, AClauseThatNeedsHistoryIsRefused) {
  EXPECT_THAT(errors_of(rule("repeat not within 6 hours unless worse by 0.5 mmol/L")),
              testing::HasSubstr("error[R250]: `repeat not within` needs the history"));
}

TEST(Mistakes, AWordOfTheLanguageAsAName) {
  EXPECT_THAT(errors_of("term result is loinc \"2823-3\"\n"),
              testing::HasSubstr("`result` is a word of the language and cannot be a name"));
}

// Three: the misspelled clause, the term that stands there twice, the misspelled condition; the
// last line belongs to the rule that could not be read.
TEST(Mistakes, ReadingGoesOnAtTheNextRule) {
  const auto compiled =
      compile(rule("wen value > 6.2 mmol/L") + rule("when valu > 3") + "nonsense\n");
  EXPECT_EQ(compiled.set, nullptr);
  std::size_t errors = 0;
  for (const Diagnostic& finding : compiled.findings) {
    errors += finding.severity == Severity::error ? 1 : 0;
  }
  EXPECT_EQ(errors, 3U) << render(compiled.findings);
}

TEST(Mistakes, ATermThatCannotBeReadIsReportedOnce) {
  EXPECT_THAT(
      errors_of("term potassium is lonc \"2823-3\"\n"
                "rule r version 1 effective 2026-01-01 on result potassium then info \"x\"\n"),
      testing::Not(testing::HasSubstr("R203")));
}

TEST(Mistakes, WhatIsProbablyNotMeantIsWarnedOf) {
  const auto compiled = compile(
      "term calcium is loinc \"17861-6\"\nterm sodium is loinc \"2951-2\"\n"
      "rule r version 1 effective 2026-01-01 on result calcium when value > 3 mmol/L\n"
      "  then info \"x\"\n");
  ASSERT_NE(compiled.set, nullptr);
  std::vector<std::string> codes;
  for (const Diagnostic& finding : compiled.findings) codes.push_back(finding.code);
  EXPECT_THAT(codes, testing::UnorderedElementsAre("R216", "R217", "R218", "R219"));
}

TEST(Mistakes, BytesThatAreNoTextAreRefused) {
  EXPECT_THAT(errors_of("term \xff"), testing::HasSubstr("R223"));
  EXPECT_THAT(errors_of(std::string("term \0 x", 8)), testing::HasSubstr("R223"));
}

TEST(Mistakes, DeepNestingEnds) {
  EXPECT_THAT(errors_of(rule("when " + std::string(10'000, '(') + "value > 3")),
              testing::HasSubstr("R205"));
  std::string nots;
  for (int i = 0; i < 20'000; ++i) nots += "not ";
  EXPECT_EQ(errors_of(rule("when " + nots + "value > 3 mmol/L")), "");
}

}  // namespace
}  // namespace cannula::rules
