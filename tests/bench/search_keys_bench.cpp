// What a message costs to be found by: its search keys are made on its way. A name in ASCII is the
// usual case; one with other characters is decoded and folded besides.
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "engine/pipeline/search_keys.h"
#include "engine/store/store.h"

namespace cannula::pipeline {
namespace {

const store::Store& store_of_bench() {
  static const std::unique_ptr<store::Store> opened = [] {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "cannula-bench-XXXXXX").string();
    store::Options options;
    options.directory = ::mkdtemp(pattern.data());
    auto store = store::Store::open(options);
    std::filesystem::remove_all(options.directory);  // it is only asked for hashes
    return *std::move(store);
  }();
  return *opened;
}

// Of about the size of those that laboratories send.
std::string message(const std::string& name, const std::string& charset) {
  std::string text =
      "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101120000||ORU^R01^ORU_R01|MSG00001|P|2.5.1||||||" + charset +
      "\rPID|1||880102^^^GEN^MR||" + name +
      "||19640927|F|||3 Mill Lane^^Riverside^NY^12007^USA\r"
      "ORC|RE|OR1013|AC2013||CM\rOBR|1|OR1013|AC2013|CBC^Blood count^L|||20260101071000\r";
  for (int i = 1; i <= 8; ++i) {
    text += "OBX|" + std::to_string(i) +
            "|NM|K^Potassium^L||4.1|mmol/L|3.5-5.1|N|||F|||20260101081000\r";
  }
  return text;
}

void keys_of(benchmark::State& state, const std::string& name, const std::string& charset) {
  const Bytes body = make_bytes(message(name, charset));
  const auto parsed = hl7v2::Message::parse(body).value();
  const store::Store& store = store_of_bench();
  for (auto _ : state) {
    benchmark::DoNotOptimize(search_keys_of(&parsed, body, "", store));
  }
}

BENCHMARK_CAPTURE(keys_of, ascii, std::string("Testperson^Tunde"), std::string());
BENCHMARK_CAPTURE(keys_of, utf8, std::string("Müller^Zoë"), std::string("UNICODE UTF-8"));
BENCHMARK_CAPTURE(keys_of, latin1, std::string("M\xFCller^Zo\xEB"), std::string("8859/1"));
BENCHMARK_CAPTURE(keys_of, latin2, std::string("\xA3ukasiewicz^Ina"), std::string("8859/2"));

}  // namespace
}  // namespace cannula::pipeline
