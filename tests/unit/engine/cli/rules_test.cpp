// The verbs about rules, as a person sees them.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/cli/run_cannula.h"

namespace cannula::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class RuleVerbs : public testing::Test {
 protected:
  RuleVerbs() {
    std::ofstream(folder_ / "labs.rules")
        << "term potassium is loinc \"2823-3\" measured in mmol/L\n"
           "rule high version 1 effective 2026-01-01\n"
           "  source \"Invented\"\n"
           "  on result potassium\n"
           "  when value > 6.2 mmol/L\n"
           "  then critical \"Potassium {value}\"\n"
           "  test \"high\" given potassium 7.1 mmol/L expect critical\n";
  }
  Outcome explain(const std::string& observations) {
    std::ofstream(folder_ / "message.hl7")
        << "MSH|^~\\&|LAB|T|E|T|20260115083000||ORU^R01^ORU_R01|1|P|2.5.1\r"
           "PID|1||1||Muster^Maria\rOBR|1\r" +
               observations;
    return run_cannula(
        {"rules", "explain", folder_ / "labs.rules", "--message", folder_ / "message.hl7"});
  }
  Folder folder_;
};

TEST_F(RuleVerbs, ExplainNamesTheCodesThatNoRuleLooksAt) {
  const Outcome outcome = explain(
      "OBX|1|NM|NA^Sodium^L||139|mmol/L\rOBX|2|NM|K^Potassium^L||6.7|mmol/L\r"
      "OBX|3|NM|K^Potassium^L||6.8|mmol/L\r");
  EXPECT_EQ(outcome.code, kFine) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("which has: NA (L), K (L)\n"));
  EXPECT_THAT(outcome.out, HasSubstr("`cannula try CHANNEL FILE`"));
}

// One rule that looks at every result hides nothing of the others.
TEST_F(RuleVerbs, ExplainNamesLocalCodesAlsoWhereSomeRuleLooks) {
  std::ofstream(folder_ / "labs.rules", std::ios::app)
      << "rule flagged version 1 effective 2026-01-01\n"
         "  source \"Invented\"\n"
         "  on any result\n"
         "  when flag is \"HH\"\n"
         "  then critical \"{name}\"\n";
  const Outcome local = explain("OBX|1|NM|K^Potassium^L||6.7|mmol/L||HH|||F\r");
  EXPECT_THAT(local.out, HasSubstr("fired: flagged on OBX[1]"));
  EXPECT_THAT(local.out, HasSubstr("1 of these 2 rules do not look at a result of the message, "
                                   "which has: K (L)\n"));
  EXPECT_THAT(explain("OBX|1|NM|2951-2^Sodium^LN||139|mmol/L||HH|||F\r").out,
              Not(HasSubstr("hint")));
}

TEST_F(RuleVerbs, ExplainSaysWhenTheMessageHasNoResults) {
  EXPECT_THAT(explain("").out, HasSubstr("the message has no results"));
}

TEST_F(RuleVerbs, ExplainJudgesWhatARuleLooksAt) {
  const Outcome outcome = explain("OBX|1|NM|2823-3^Potassium^LN||6.7|mmol/L|||||F\r");
  EXPECT_THAT(outcome.out, HasSubstr("fired: high on OBX[1]"));
}

}  // namespace
}  // namespace cannula::cli
