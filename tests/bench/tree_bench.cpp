// JSON read into our tree and written, with nlohmann beside it: a small resource and a large
// bundle.
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "parsers/tree/document.h"

namespace cannula::tree {
namespace {

std::string observation(int number) {
  return R"({"fullUrl":"urn:uuid:00000000-0000-8000-8000-)" +
         std::to_string(100000000000 + number) +
         R"(","resource":{"resourceType":"Observation","status":"final","category":[{"coding":[)"
         R"({"system":"http://terminology.hl7.org/CodeSystem/observation-category",)"
         R"("code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org",)"
         R"("code":"2823-3","display":"Potassium [Moles/volume] in Serum or Plasma"}],)"
         R"("text":"Potassium"},"subject":{"reference":"Patient/example"},)"
         R"("effectiveDateTime":"2026-01-15T09:15:00+01:00","valueQuantity":{"value":7.10,)"
         R"("unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"},)"
         R"("referenceRange":[{"text":"3.5-5.1"}]},"request":{"method":"POST",)"
         R"("url":"Observation"}})";
}

std::string bundle(int entries) {
  std::string text = R"({"resourceType":"Bundle","type":"transaction","entry":[)";
  for (int at = 0; at < entries; ++at) text += (at == 0 ? "" : ",") + observation(at);
  return text + "]}";
}

void set_counts(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void BM_Parse(benchmark::State& state) {
  const Bytes text = make_bytes(bundle(static_cast<int>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(Document::parse(text));
  set_counts(state, text->size());
}
BENCHMARK(BM_Parse)->Arg(5)->Arg(1200);

void BM_ParseNlohmann(benchmark::State& state) {
  const std::string text = bundle(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(nlohmann::json::parse(text));
  set_counts(state, text.size());
}
BENCHMARK(BM_ParseNlohmann)->Arg(5)->Arg(1200);

void BM_Encode(benchmark::State& state) {
  const Bytes text = make_bytes(bundle(static_cast<int>(state.range(0))));
  const Document document = Document::parse(text).value();
  for (auto _ : state) benchmark::DoNotOptimize(document.encode());
  set_counts(state, text->size());
}
BENCHMARK(BM_Encode)->Arg(5)->Arg(1200);

void BM_EncodeNlohmann(benchmark::State& state) {
  const std::string text = bundle(static_cast<int>(state.range(0)));
  const auto document = nlohmann::json::parse(text);
  for (auto _ : state) benchmark::DoNotOptimize(document.dump());
  set_counts(state, text.size());
}
BENCHMARK(BM_EncodeNlohmann)->Arg(5)->Arg(1200);

void BM_ReadByPath(benchmark::State& state) {
  const Document document = Document::parse(make_bytes(bundle(5))).value();
  const Path path = Path::parse("entry[4].resource.valueQuantity.value").value();
  std::string space;
  for (auto _ : state) benchmark::DoNotOptimize(document.root().find(path).text(space));
}
BENCHMARK(BM_ReadByPath);

}  // namespace
}  // namespace cannula::tree
