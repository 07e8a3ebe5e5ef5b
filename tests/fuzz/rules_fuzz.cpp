// Any bytes as a rule file: findings or a rule set, never a fault. What compiles is tested,
// explained and evaluated on a message.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "parsers/hl7v2/message.h"
#include "rules/facts/facts.h"
#include "rules/language/rule_set.h"

namespace {

using namespace cannula;

void require(bool holds) {
  if (!holds) std::abort();
}

facts::Case facts_of_a_message() {
  const auto message = hl7v2::Message::parse(
      make_bytes("MSH|^~\\&|LAB|T|E|T|20260115083000+0000||ORU^R01^ORU_R01|1|P|2.5.1\r"
                 "PID|1||1||Muster^Maria||19860101|F\r"
                 "OBR|1||||||20260115080000\r"
                 "OBX|1|NM|2823-3^K^LN||<7.1|mEq/L|3.5-5.1|HH|||P\r"
                 "OBX|2|NM|2951-2^Na^LN||155|mmol/L|||||F\r"
                 "OBX|3|CWE|600-7^Culture^LN||10828004^Positive^SCT||||||C\r"
                 "OBX|4|ST|K^Kalium^L||positive\r"));
  return facts::from_hl7v2(*message, "Europe/Vienna");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const facts::Case facts = facts_of_a_message();
  auto source = std::make_shared<const Source>(
      "fuzz.rules", std::string(reinterpret_cast<const char*>(data), size));
  const auto compiled = rules::RuleSet::compile("fuzz", source);
  require((compiled.set == nullptr) == has_errors(compiled.findings));
  require(!render(compiled.findings).empty() || compiled.findings.empty());
  if (!compiled.set) return 0;
  for (const rules::TestResult& result : compiled.set->run_tests()) {
    require(result.passed == !result.finding.has_value());
  }
  for (const std::string& name : compiled.set->rule_names()) {
    require(compiled.set->explain(name).has_value());
  }
  const rules::Verdict verdict = compiled.set->evaluate(facts, 1'768'478'400'000'000);
  require(!verdict.trace_json().empty());
  return 0;
}
