// rules.evaluate and its Verdict.
#include <fstream>

#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRules = R"(
term potassium is loinc "2823-3" "Potassium"

rule critical-potassium version 3 effective 2025-01-01
  source "the test's own threshold"
  on result potassium
  when patient age > 16 years and value > 6.2 mmol/L
  then critical "Potassium {value}"
       route ward-phone  acknowledge within 30 minutes
  test "adult 7.1" given age 40 years, potassium 7.1 mmol/L expect critical
)";

class RulesTest : public ScriptTest {
 protected:
  RulesTest() {
    rules::Resources resources;
    auto compiled = rules::RuleSet::compile(
        "critical-labs", std::make_shared<Source>("critical-labs.rules", std::string(kRules)));
    EXPECT_TRUE(compiled.set) << render(compiled.findings);
    resources.rule_sets["critical-labs"] = compiled.set;
    host_.known = std::make_shared<const rules::Resources>(std::move(resources));
  }
  std::string said(const std::string& expression) {
    const Conclusion conclusion = work(
        "function main(msg) local verdict = rules.evaluate('critical-labs', msg) "
        "skip(tostring(" +
        expression + ")) end");
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::skipped) << conclusion.reason;
    trace_ = conclusion.trace;
    return conclusion.reason;
  }
  std::string trace_;
};

TEST_F(RulesTest, AVerdictTellsWhatFired) {
  EXPECT_EQ(said("verdict.critical"), "true");
  EXPECT_EQ(said("verdict.doubtful"), "false");
  EXPECT_EQ(said("verdict.urgency"), "critical");
  EXPECT_EQ(said("#verdict.fired"), "1");
  EXPECT_EQ(said("verdict.fired[1].rule .. ' ' .. verdict.fired[1].version"),
            "critical-potassium 3");
  EXPECT_EQ(said("verdict.fired[1].route"), "ward-phone");
  EXPECT_EQ(said("verdict.fired[1].acknowledge_within"), "30");
  EXPECT_THAT(said("verdict.fired[1].text"), HasSubstr("Potassium 7.1"));
  EXPECT_EQ(said("#verdict.unsure"), "0");
  EXPECT_THAT(said("verdict:explain()"), HasSubstr("critical-potassium version 3: fired"));
}

TEST_F(RulesTest, ACardIsWhatAReviewerReads) {
  EXPECT_EQ(said("verdict:card()['cards[1].indicator']"), "critical");
  EXPECT_THAT(said("verdict:card()['cards[1].summary']"), HasSubstr("Potassium 7.1"));
  EXPECT_EQ(said("verdict:card()['cards[1].source.label']"), "the test's own threshold");
  EXPECT_EQ(said("verdict:card()['cards[1].extension.route']"), "ward-phone");
}

// The most this process held since the mark was set, in MB.
void mark_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}
std::size_t peak() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kilobytes = 0;
  while (status >> word) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  return kilobytes >> 10;
}

// 400,000 results are 18 MB; what the rules made of them was 1.3 GB before anybody asked.
TEST_F(RulesTest, WhatTheyFindIsPaidForWhileItGrows) {
  std::string many =
      "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115093042||ORU^R01^ORU_R01|L1|P|2.5.1\rOBR|1\r";
  const std::string result = "OBX|1|NM|2823-3^Potassium^LN||7.1|mmol/L|||||F\r";
  for (int i = 0; i < 400'000; ++i) many += result;
  limits_.time = limits_.unyielding = std::chrono::seconds(60);
  mark_peak();
  const std::size_t before = peak();
  EXPECT_THAT(failure("rules.evaluate('critical-labs', msg)", many), HasSubstr("memory"));
  EXPECT_LT(peak() - before, 400u) << "MB";
  // Fewer come through, and what the facts took is given back.
  many.resize(many.find("OBX") + 10'000 * result.size());
  EXPECT_EQ(
      work("function main(msg) for i = 1, 5 do rules.evaluate('critical-labs', msg) end end", many)
          .kind,
      Conclusion::Kind::finished);
}

TEST_F(RulesTest, EditsAreSeen) {
  const Conclusion conclusion = work(R"(function main(msg)
    msg["OBX[1]-5"] = "4.1"
    skip(tostring(rules.evaluate('critical-labs', msg).critical)) end)");
  EXPECT_EQ(conclusion.reason, "false");
}

TEST_F(RulesTest, TheTraceKeepsWhatEachRuleSaid) {
  said("1");
  EXPECT_THAT(trace_, HasSubstr(R"("rules":{"set":"critical-labs","findings":[{)"));
}

TEST_F(RulesTest, MistakesSayWhatThereIs) {
  EXPECT_THAT(failure("rules.evaluate('critical-lab', msg)"),
              HasSubstr("did you mean 'critical-labs'?"));
  EXPECT_THAT(failure("rules.evaluate('critical-labs', 'text')"), HasSubstr("Message"));
  EXPECT_THAT(failure("return rules.evaluate('critical-labs', msg).critcal"),
              HasSubstr("critical"));
}

}  // namespace
}  // namespace cannula::script
