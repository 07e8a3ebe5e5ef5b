#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parsers/hl7v2/message.h"
#include "tests/unit/rules/language/compiled.h"

namespace cannula::rules {
namespace {

using State = Finding::State;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kNow = 1'768'478'400'000'000;  // 2026-01-15

std::shared_ptr<const RuleSet> rules_of(const std::string& text) {
  const auto compiled = compile(kTerms + text);
  EXPECT_NE(compiled.set, nullptr) << render(compiled.findings);
  return compiled.set;
}

std::string rule(const std::string& clauses) {
  return "rule r version 2 effective 2026-01-01 source \"s\" on result potassium\n" + clauses +
         "\nthen critical \"Potassium {value} at {age}\" route ward acknowledge within 30 "
         "minutes\n";
}

facts::Case facts_of(const std::string& segments) {
  const auto message = hl7v2::Message::parse(make_bytes(
      "MSH|^~\\&|LAB|T|E|T|20260115083000+0000||ORU^R01^ORU_R01|1|P|2.5.1\r" + segments));
  return facts::from_hl7v2(*message, "");
}

// A woman of 40 with one potassium.
facts::Case potassium(const std::string& value, const std::string& unit = "mmol/L",
                      const std::string& status = "F") {
  return facts_of("PID|1||1||Muster^Maria||19860101|F\rOBR|1\rOBX|1|NM|2823-3^K^LN||" + value +
                  "|" + unit + "|3.5-5.1||||" + status + "\r");
}

Finding judged(const std::string& clauses, const facts::Case& facts) {
  const Verdict verdict = rules_of(rule(clauses))->evaluate(facts, kNow);
  EXPECT_EQ(verdict.findings.size(), 1U);
  return verdict.findings.empty() ? Finding{} : verdict.findings.front();
}

State state(const std::string& clauses, const facts::Case& facts) {
  return judged(clauses, facts).state;
}

TEST(Evaluation, ASystemMayBeNamedAsMessagesNameIt) {
  const auto set =
      compile("term potassium is code \"2823-3\" in \"LN\"\n" + rule("when value > 6.2 mmol/L"))
          .set;
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->evaluate(potassium("7.10"), kNow).findings.front().state, State::fired);
}

TEST(Evaluation, AFiredRuleSaysWhatAndWhy) {
  const Finding finding =
      judged("when patient age > 16 years and (value < 2.8 mmol/L or value > 6.2 mmol/L)",
             potassium("7.10"));
  EXPECT_EQ(finding.state, State::fired);
  EXPECT_EQ(finding.text, "Potassium 7.10 mmol/L at 40 years");
  EXPECT_EQ(finding.route, "ward");
  EXPECT_EQ(finding.acknowledge_within, std::chrono::minutes(30));
  EXPECT_EQ(finding.version, 2U);
  EXPECT_EQ(finding.place, "OBX[1]");
  EXPECT_THAT(
      finding.because,
      ElementsAre("OBX[1] 7.10 mmol/L, final, 2026-01-15 08:30 UTC", "age 40 years > 16 years: yes",
                  "value 7.10 mmol/L < 2.8 mmol/L: no", "value 7.10 mmol/L > 6.2 mmol/L: yes"));
}

TEST(Evaluation, AnAdultsAgeInMonthsIsSaidInYearsToo) {
  EXPECT_THAT(judged("when patient age >= 1 month", potassium("7.10")).because,
              testing::Contains(testing::HasSubstr("months (40 years) >= 1 month: yes")));
}

TEST(Evaluation, UnitsAreConverted) {
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("7.1", "mEq/L")), State::fired);
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("7100", "umol/L")), State::fired);
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("6200", "umol/L")), State::not_fired);
  EXPECT_EQ(state("when value >= 6.2 mmol/L", potassium("6200", "umol/L")), State::fired);
}

TEST(Evaluation, WhatCannotBeComparedIsHeld) {
  for (const std::string unit : {"", "mg/dL", "foo"}) {
    const Finding finding = judged("when value > 6.2 mmol/L", potassium("7.1", unit));
    EXPECT_EQ(finding.state, State::could_not_tell) << unit;
    EXPECT_TRUE(finding.hold);
  }
  EXPECT_EQ(judged("when value > 6.2 mmol/L", potassium("7.1", "foo")).because.at(1),
            "value 7.1 foo > 6.2 mmol/L: could not tell, `foo` is no known unit");
}

TEST(Evaluation, AUnitInTheWrongCaseIsTheOneOfTheLaboratory) {
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("7.1", "mM")), State::fired);
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("7.1", "Mmol/L")), State::fired);
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("6.1", "Mmol/L")), State::not_fired);
}

TEST(Evaluation, AUnitWithTwoReadingsIsHeldAndBothAreSaid) {
  const Finding finding = judged("when value > 6.2 mmol/L", potassium("7.1", "MM"));
  EXPECT_TRUE(finding.hold);
  EXPECT_EQ(finding.because.at(1),
            "value 7.1 MM > 6.2 mmol/L: could not tell, `MM` may be mm or mmol/L");
}

TEST(Evaluation, TheRuleSaysWhatIsDoneAboutWhatIsMissing) {
  const facts::Case facts = potassium("7.1", "");
  EXPECT_EQ(state("when value > 6.2 mmol/L missing unit -> fire", facts), State::fired);
  const Finding ignored = judged("when value > 6.2 mmol/L missing unit -> ignore", facts);
  EXPECT_EQ(ignored.state, State::could_not_tell);
  EXPECT_FALSE(ignored.hold);
  EXPECT_TRUE(judged("when value > 6.2 mmol/L missing anything -> ignore "
                     "missing unit -> hold for review",
                     facts)
                  .hold);
}

TEST(Evaluation, MissingIsAThirdValue) {
  const facts::Case no_age = facts_of("PID|1\rOBR|1\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r");
  const std::string condition = "when patient age > 16 years ";
  EXPECT_EQ(state(condition + "and value > 6.2 mmol/L", no_age), State::not_fired);
  EXPECT_EQ(state(condition + "or value > 3 mmol/L", no_age), State::fired);
  EXPECT_EQ(state(condition + "and value > 3 mmol/L", no_age), State::could_not_tell);
  EXPECT_EQ(state("when not patient age > 16 years", no_age), State::could_not_tell);
  EXPECT_EQ(state("when value > 3 mmol/L unless patient age < 16 years", no_age),
            State::could_not_tell);
  EXPECT_EQ(state("when patient age is missing", no_age), State::fired);
  EXPECT_EQ(state("when patient sex is known", no_age), State::not_fired);
}

TEST(Evaluation, OnlyWhatKeepsFromDecidingCountsAsMissing) {
  // The age is missing as well, but 9 mmol/L would decide, had it a unit.
  const facts::Case facts = facts_of("PID|1\rOBR|1\rOBX|1|NM|2823-3^K^LN||9||||||F\r");
  const Finding finding = judged(
      "when (patient age > 16 years and status is preliminary) or value > 6 mmol/L "
      "missing unit -> fire missing age -> hold for review",
      facts);
  EXPECT_EQ(finding.state, State::fired);
}

TEST(Evaluation, AComparatorIsComparedByWhatItLeavesOpen) {
  EXPECT_EQ(state("when value < 6 mmol/L", potassium("<5")), State::fired);
  EXPECT_EQ(state("when value > 6 mmol/L", potassium("<5")), State::not_fired);
  EXPECT_EQ(state("when value < 3 mmol/L", potassium("<5")), State::could_not_tell);
  EXPECT_EQ(state("when value >= 5 mmol/L", potassium("<5")), State::not_fired);
  EXPECT_EQ(state("when value < 5 mmol/L", potassium("<5")), State::fired);
  EXPECT_EQ(state("when value <= 5 mmol/L", potassium("<=5")), State::fired);
  EXPECT_EQ(state("when value < 5 mmol/L", potassium("<=5")), State::could_not_tell);
  EXPECT_EQ(state("when value > 5 mmol/L", potassium(">5")), State::fired);
  EXPECT_EQ(state("when value > 5 mmol/L", potassium(">=5")), State::could_not_tell);
  EXPECT_EQ(state("when value = 5 mmol/L", potassium(">=5")), State::could_not_tell);
  EXPECT_EQ(state("when value = 5 mmol/L", potassium(">5")), State::not_fired);
  EXPECT_EQ(state("when value between 3 and 6 mmol/L", potassium("<2")), State::not_fired);
  EXPECT_EQ(state("when value between 3 and 6 mmol/L", potassium("<4")), State::could_not_tell);
}

TEST(Evaluation, AgesAreCountedInFullUnits) {
  const auto born = [](const std::string& day) {
    return facts_of("PID|1||||||" + day +
                    "|F\rOBR|1\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F|||20260115120000\r");
  };
  EXPECT_EQ(state("when patient age > 16 years", born("20090115")), State::fired);
  EXPECT_EQ(state("when patient age > 16 years", born("20090116")), State::not_fired);
  EXPECT_EQ(state("when patient age >= 16 years", born("20100115")), State::fired);
  EXPECT_EQ(state("when patient age < 1 month", born("20251216")), State::fired);
  EXPECT_EQ(state("when patient age < 1 month", born("20251215")), State::not_fired);
  EXPECT_EQ(state("when patient age between 0 and 28 days", born("20251218")), State::fired);
  EXPECT_EQ(state("when patient age between 0 and 28 days", born("20251217")), State::not_fired);
  EXPECT_EQ(state("when patient age < 24 hours", born("202601150200")), State::fired);
  EXPECT_EQ(state("when patient age < 24 hours", born("20260115")), State::fired);
  EXPECT_EQ(state("when patient age < 24 hours", born("20260114")), State::could_not_tell);
  EXPECT_EQ(state("when patient age > 16 years", born("2009")), State::could_not_tell);
  EXPECT_EQ(state("when patient age > 16 years", born("2008")), State::fired);
  EXPECT_EQ(state("when patient age > 16 years", born("20260301")), State::could_not_tell);
}

TEST(Evaluation, ResultsThatAreNoneNeverFire) {
  for (const std::string status : {"X", "W", "D", "I", "O", "N"}) {
    const Finding finding = judged("when value > 6.2 mmol/L", potassium("7.1", "mmol/L", status));
    EXPECT_EQ(finding.state, State::not_fired) << status;
  }
  EXPECT_EQ(state("when value > 6.2 mmol/L", potassium("7.1", "mmol/L", "P")), State::fired);
  EXPECT_EQ(state("when value > 6.2 mmol/L and status is final or corrected",
                  potassium("7.1", "mmol/L", "P")),
            State::not_fired);
}

TEST(Evaluation, OtherResultsOfTheMessageAreCompared) {
  const auto with_sodium = [](const std::string& sodium) {
    return facts_of("PID|1\rOBR|1\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r" + sodium);
  };
  const std::string high = "OBX|2|NM|2951-2^Na^LN||155|mmol/L|||||F\r";
  const std::string low = "OBX|2|NM|2951-2^Na^LN||135|mmol/L|||||F\r";
  const std::string wrong = "OBX|2|NM|2951-2^Na^LN||155|mmol/L|||||W\r";
  const std::string condition = "when result sodium > 150 mmol/L";
  EXPECT_EQ(state(condition, with_sodium(high)), State::fired);
  EXPECT_EQ(state(condition, with_sodium(low)), State::not_fired);
  EXPECT_EQ(state(condition, with_sodium(low + high)), State::fired);
  EXPECT_EQ(state(condition, with_sodium("")), State::could_not_tell);
  EXPECT_EQ(state(condition, with_sodium(wrong)), State::could_not_tell);
  EXPECT_EQ(state("when result sodium is missing", with_sodium(wrong)), State::fired);
  EXPECT_EQ(state("when result potassium is known", with_sodium("")), State::not_fired);
}

TEST(Evaluation, FlagsRangesTextsAndSpecimens) {
  const auto with = [](const std::string& range, const std::string& flag) {
    return facts_of("PID|1\rOBR|1\rOBX|1|NM|2823-3^K^LN||5.6|mmol/L|" + range + "|" + flag +
                    "|||F\r");
  };
  EXPECT_EQ(state("when flag is \"HH\" or \"H\"", with("", "H~A")), State::fired);
  EXPECT_EQ(state("when flag is \"HH\"", with("", "")), State::not_fired);
  EXPECT_EQ(state("when value above reference range", with("3.5-5.1", "")), State::fired);
  EXPECT_EQ(state("when value is not within reference range", with("3.5-5.1", "")), State::fired);
  EXPECT_EQ(state("when value below reference range", with("<5.6", "")), State::not_fired);
  EXPECT_EQ(state("when value above reference range", with("<5.6", "")), State::fired);
  EXPECT_EQ(state("when value above reference range", with("see note", "")), State::could_not_tell);
  const facts::Case text = facts_of("PID|1\rOBR|1\rOBX|1|ST|2823-3^K^LN||Positive||||||F\rSPM|1" +
                                    std::string(23, '|') + "HEM\r");
  EXPECT_EQ(state("when value is \"positive\"", text), State::fired);
  EXPECT_EQ(state("when value is not \"negative\"", text), State::fired);
  EXPECT_EQ(state("when specimen is hemolyzed", text), State::fired);
  EXPECT_EQ(state("when value is \"positive\" unless specimen is hemolyzed", text),
            State::not_fired);
}

TEST(Evaluation, ARuleIsInEffectFromItsFirstToItsLastDay) {
  const auto set = rules_of(
      "rule r version 1 effective 2026-01-15 until 2026-01-16 source \"s\" on result potassium\n"
      "  then info \"x\"\n"
      "rule r version 2 effective 2026-01-17 source \"s\" on result potassium then info \"x\"\n");
  const std::int64_t day = 86'400'000'000;
  const auto version_on = [&](std::int64_t moment) {
    const Verdict verdict = set->evaluate(potassium("4"), moment);
    return verdict.findings.empty() ? 0 : verdict.findings.front().version;
  };
  EXPECT_EQ(version_on(kNow - day), 0U);
  EXPECT_EQ(version_on(kNow), 1U);
  EXPECT_EQ(version_on(kNow + day), 1U);
  EXPECT_EQ(version_on(kNow + 2 * day), 2U);
}

TEST(Evaluation, EndsAtTheFindingThatIsTooMuch) {
  std::string segments = "OBR|1\r";
  for (int i = 0; i < 100; ++i) segments += "OBX|1|NM|2823-3^K^LN||7|mmol/L|||||F\r";
  const auto set = rules_of(rule("when value > 6.2 mmol/L"));
  int told = 0;
  const auto each = [&told](const Finding&) {
    if (++told == 3) throw std::length_error("too much");
  };
  EXPECT_THROW(set->evaluate(facts_of(segments), kNow, each), std::length_error);
  EXPECT_EQ(told, 3);
}

TEST(Evaluation, TheVerdictSaysTheHighestUrgencyAndDoubt) {
  const Verdict fired = rules_of(rule("when value > 6.2 mmol/L"))->evaluate(potassium("7"), kNow);
  EXPECT_TRUE(fired.critical());
  EXPECT_FALSE(fired.doubtful());
  const Verdict unsure =
      rules_of(rule("when value > 6.2 mmol/L"))->evaluate(potassium("7", ""), kNow);
  EXPECT_FALSE(unsure.urgency().has_value());
  EXPECT_TRUE(unsure.doubtful());
  EXPECT_THAT(unsure.trace_json(), HasSubstr("\"state\":\"could not tell\""));
  EXPECT_THAT(fired.trace_json(), testing::StartsWith("{\"set\":\"labs\",\"findings\":[{"));
}

TEST(Evaluation, TheTraceIsJsonWhateverTheTextsHold) {
  Verdict verdict;
  verdict.rules = "a \"set\"";
  Finding& finding = verdict.findings.emplace_back();
  finding.state = Finding::State::fired;
  finding.rule = "r";
  finding.version = 2;
  finding.urgency = Urgency::critical;
  finding.text = "back\\slash, line\nend, \xFF";
  finding.acknowledge_within = std::chrono::minutes(15);
  finding.because = {"one", "two"};
  finding.hold = true;
  verdict.findings.emplace_back().state = Finding::State::could_not_tell;
  EXPECT_EQ(verdict.trace_json(),
            R"({"set":"a \"set\"","findings":[{"state":"fired","rule":"r","version":2,"place":"",)"
            R"("urgency":"critical","text":"back\\slash, line\nend, )"
            "\xEF\xBF\xBD"
            R"(","acknowledge_within":15,"because":["one","two"]},)"
            R"({"state":"could not tell","rule":"","version":0,"place":"","hold":false,)"
            R"("because":[]}]})");
}

TEST(Evaluation, ARuleOnAnyResultLooksAtEveryResult) {
  const auto set = rules_of(
      "rule flagged version 1 effective 2026-01-01 source \"s\" on any result\n"
      "  when flag is \"HH\" or \"LL\" then critical \"{name}\"\n");
  const Verdict verdict = set->evaluate(
      facts_of("PID|1\rOBR|1\rOBX|1|NM|A^Alpha^L||1|||HH|||F\rOBX|2|NM|B^Beta^L||1||||||F\r"),
      kNow);
  ASSERT_EQ(verdict.findings.size(), 2U);
  EXPECT_EQ(verdict.findings[0].text, "Alpha");
  EXPECT_EQ(verdict.findings[1].state, State::not_fired);
}

TEST(Evaluation, AMassIsComparedWithAnAmountByTheMolarMass) {
  const auto compiled = compile(
      "term creatinine is loinc \"2160-0\" measured in mg/dL molar mass 113.12 g/mol\n"
      "rule r version 1 effective 2026-01-01 source \"s\" on result creatinine\n"
      "  when value >= 4.0 mg/dL then critical \"{value}\"\n"
      "  test \"umol\" given creatinine 354 umol/L expect critical\n"
      "  test \"less\" given creatinine 353 umol/L expect nothing\n");
  ASSERT_NE(compiled.set, nullptr);
  for (const TestResult& result : compiled.set->run_tests()) EXPECT_TRUE(result.passed);
}

TEST(Evaluation, APlainNumberIsNotAPercentage) {
  const auto compiled = compile(
      "term saturation is code \"S\"\n"
      "rule r version 1 effective 2026-01-01 source \"s\" on result saturation when value < 50\n"
      "  then info \"x\"\n"
      "  test \"percent\" given saturation 90 % expect hold\n"
      "  test \"plain\" given saturation 40 expect info\n");
  ASSERT_NE(compiled.set, nullptr) << render(compiled.findings);
  for (const TestResult& result : compiled.set->run_tests()) EXPECT_TRUE(result.passed);
}

TEST(RuleTests, AFailureSaysWhy) {
  const auto set =
      rules_of(rule("when value > 6.2 mmol/L\n"
                    "test \"seven\" given age 40 years, potassium 7 mmol/L expect nothing"));
  const auto results = set->run_tests();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_FALSE(results[0].passed);
  EXPECT_EQ(render(*results[0].finding),
            "labs.rules:6:6: error[R230]: test \"seven\" of r expects nothing, but critical came\n"
            "    6 | test \"seven\" given age 40 years, potassium 7 mmol/L expect nothing\n"
            "      |      ^~~~~~~\n"
            "      = hint: because potassium 7 mmol/L, final, 2026-01-15 12:00 UTC and value 7 "
            "mmol/L > 6.2 mmol/L: yes\n");
}

TEST(Explanation, SaysInSentencesWhatARuleDoes) {
  const auto set =
      rules_of(rule("when patient age >= 1 year and not value between 2.8 and 6.2 mmol/L\n"
                    "unless specimen is hemolyzed missing unit -> fire owner \"Lab\""));
  EXPECT_EQ(set->explain("r").value_or(""),
            "r, version 2, in effect from 2026-01-01.\n"
            "It looks at each result of potassium (loinc 2823-3 or loinc 6298-4).\n"
            "It fires when the patient's age is at least 1 year and the value is not between 2.8 "
            "mmol/L and 6.2 mmol/L, unless the specimen is hemolyzed.\n"
            "Then it says \"Potassium {value} at {age}\", which is critical, goes to ward, and is "
            "to be acknowledged within 30 minutes.\n"
            "When it cannot tell because unit is missing, it fires.\n"
            "When it cannot tell because anything else is missing, the message is held for "
            "review.\n"
            "Source: s\nOwner: Lab\nTests: 0\n");
  EXPECT_FALSE(set->explain("q").has_value());
}

}  // namespace
}  // namespace cannula::rules
