// What rules cost a message: a panel of 20 results, judged by rule sets of 10 and of 1,000 rules of
// which the same 10 look at the message. The thousand may cost 1.3 times the ten.
#include <stdexcept>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "parsers/hl7v2/message.h"
#include "rules/facts/facts.h"
#include "rules/language/rule_set.h"

namespace cannula {
namespace {

constexpr std::int64_t kNow = 1'768'478'400'000'000;
constexpr int kResults = 20;

hl7v2::Message panel() {
  std::string text =
      "MSH|^~\\&|LAB|T|E|T|20260115083000||ORU^R01^ORU_R01|1|P|2.5.1\r"
      "PID|1||90001^^^T^MR||Muster^Maria||19860704|F\r"
      "OBR|1|O-1|A-1|PANEL^Panel^L|||20260115080000\r";
  for (int i = 0; i < kResults; ++i) {
    text += fmt::format("OBX|{}|NM|{}-1^Analyte {}^LN^A{}^A^99LAB||4.{}|mmol/L|3.5-5.1|N|||F\r",
                        i + 1, i, i, i, i);
  }
  return *hl7v2::Message::parse(make_bytes(std::move(text)));
}

// Of the first ten rules each looks at a result of the panel.
std::shared_ptr<const rules::RuleSet> rules_of(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += fmt::format(
        "term t{0} is code \"A{0}\" in \"99LAB\" measured in mmol/L\n"
        "rule r{0} version 1 effective 2026-01-01 source \"s\" on result t{0}\n"
        "  when patient age > 16 years and (value < 2.8 mmol/L or value > 6.2 mmol/L)\n"
        "  then critical \"{{value}}\" route ward acknowledge within 30 minutes\n",
        i < 10 ? i : i + kResults);
  }
  auto source = std::make_shared<const Source>("bench.rules", std::move(text));
  auto compiled = rules::RuleSet::compile("bench", source);
  if (compiled.set == nullptr) throw std::runtime_error(render(compiled.findings));
  return compiled.set;
}

void BM_Evaluate(benchmark::State& state) {
  const auto set = rules_of(static_cast<int>(state.range(0)));
  const facts::Case facts = facts::from_hl7v2(panel(), "Europe/Vienna");
  for (auto _ : state) benchmark::DoNotOptimize(set->evaluate(facts, kNow));
}
BENCHMARK(BM_Evaluate)->Arg(10)->Arg(100)->Arg(1'000)->Arg(10'000);

void BM_Facts(benchmark::State& state) {
  const hl7v2::Message message = panel();
  for (auto _ : state) benchmark::DoNotOptimize(facts::from_hl7v2(message, "Europe/Vienna"));
}
BENCHMARK(BM_Facts);

void BM_FactsAndRules(benchmark::State& state) {
  const auto set = rules_of(static_cast<int>(state.range(0)));
  const hl7v2::Message message = panel();
  for (auto _ : state) {
    benchmark::DoNotOptimize(set->evaluate(facts::from_hl7v2(message, "Europe/Vienna"), kNow));
  }
}
BENCHMARK(BM_FactsAndRules)->Arg(10)->Arg(1'000);

void BM_Compile(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(rules_of(static_cast<int>(state.range(0))));
}
BENCHMARK(BM_Compile)->Arg(1'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cannula
