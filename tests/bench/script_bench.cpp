// What a script costs: a result of 918 bytes parsed, worked by eight statements, and encoded.
#include <benchmark/benchmark.h>

#include "engine/script/runtime.h"

namespace cannula::script {
namespace {

std::string oru_message() {
  std::string text =
      "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115093042||ORU^R01^ORU_R01|L0001|P|2.5.1\r"
      "PID|1||777001^^^NORTH^MR~888^^^CITY^PI||Muster^Anna^B||19610615|F|||12 Elm St^^Springfield\r"
      "PV1|1|I|W4^12^A^NORTH||||1234^Arzt^Eva\r"
      "OBR|1|A1|F1|24323-8^Comprehensive metabolic panel^LN|||20260115080000\r";
  for (int row = 1; text.size() < 850; ++row) {
    text += "OBX|" + std::to_string(row) +
            "|NM|2823-3^Potassium^LN||4.1|mmol/L|3.5-5.1|N|||F|||20260115091500\r";
  }
  return text + "NTE|1||" + std::string(918 - text.size() - 8, 'x') + "\r";
}

class NoHost : public Host {
 public:
  std::int64_t now() const override { return 1768469442'000000; }
  std::optional<std::string> state(const std::string&, const std::string&) const override {
    return std::nullopt;
  }
  Result<std::string> secret(const std::string&, const std::string& name) const override {
    return Error{"C140", "no secret " + name, "", {}};
  }
  std::shared_ptr<const rules::Resources> resources() const override {
    return std::make_shared<const rules::Resources>();
  }
};

constexpr const char* kEightStatements = R"(
  local wards = { W4 = "Ward 4" }
  function main(msg)
    local mrn = msg["PID-3.1"]
    local name = msg["PID-5.1"]
    local code = msg["OBX-3.1"]
    local value = msg["OBX-5"]
    local ward = wards[msg["PV1-3.1"]]
    msg["PID-3[1].4"] = "GEN"
    if code == "2823-3" and value then ward = name end
    send("ehr", msg, { key = mrn })
  end)";

// The lab channel: six observations of an ORU become a FHIR transaction.
constexpr const char* kLabToFhir = R"(
  local status = { F = "final", C = "corrected", P = "preliminary", X = "cancelled" }
  local mrn_system = { NORTH = "urn:oid:1.2.40.0.10.1.9" }
  function main(msg)
    local bundle = fhir.transaction()
    local mrn = fhir.identifier(msg.PID[3], mrn_system)
    local patient = bundle:update(fhir.Patient{
      identifier = mrn, name = fhir.name(msg.PID[5]), birthDate = fhir.date(msg["PID-7"]),
      gender = fhir.gender(msg["PID-8"]), address = fhir.address(msg.PID[11]),
    }, "Patient?identifier=" .. mrn.system .. "|" .. mrn.value)
    for order in msg:groups("ORDER_OBSERVATION") do
      local results = {}
      local when = fhir.datetime(order["OBR-7"])
      local filler = order["OBR-3.1"]
      for obx in order:each("OBX") do
        results[#results + 1] = bundle:create(fhir.Observation{
          identifier = { system = "urn:id:LAB", value = filler .. "-" .. obx["1"] },
          status = status[obx["11"]] or "unknown",
          category = { coding = {
            system = "http://terminology.hl7.org/CodeSystem/observation-category",
            code = "laboratory" } },
          code = fhir.concept(obx[3]), subject = patient, effectiveDateTime = when,
          valueQuantity = fhir.quantity(obx["5"], obx["6"]),
          interpretation = obx["8"] and { coding = {
            system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
            code = obx["8"] } },
          referenceRange = obx["7"] and { text = obx["7"] },
        }, { unless_exists = "identifier=urn:id:LAB|" .. filler .. "-" .. obx["1"] })
      end
      bundle:create(fhir.DiagnosticReport{
        identifier = { system = "urn:id:LAB", value = filler }, status = "final",
        code = fhir.concept(order.OBR[4]), subject = patient,
        effectiveDateTime = when, result = results,
      }, { unless_exists = "identifier=urn:id:LAB|" .. filler })
    end
    send("ehr", bundle, { key = msg["PID-3.1"] })
  end)";

void work(benchmark::State& state, const char* script) {
  NoHost host;
  MemoryPool pool(1u << 30);
  auto program = std::make_shared<Program>();
  program->channel = "lab";
  program->main = std::make_shared<Source>("main.lua", script);
  program->destinations = {"ehr"};
  program->timezone = "America/New_York";
  auto loaded = Runtime::load(program, {}, host, pool);
  auto* runtime = std::get_if<std::unique_ptr<Runtime>>(&loaded);
  if (runtime == nullptr) {
    state.SkipWithError("the script does not load");
    return;
  }
  const std::string text = oru_message();
  const Bytes body = make_bytes(text);
  for (auto _ : state) {
    Input input;
    input.id = "01JTEST";
    input.body = body;
    const auto run = (*runtime)->begin(std::move(input));
    while (run->resume(std::chrono::milliseconds(5)) == Run::Step::suspended) {
    }
    const Conclusion conclusion = run->conclusion();
    if (conclusion.kind == Conclusion::Kind::failed) {
      state.SkipWithError(conclusion.reason.c_str());
      return;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  state.counters["bytes"] = static_cast<double>((*runtime)->memory_used());
}

void BM_NothingAtAll(benchmark::State& state) {
  work(state, "function main(msg) end");
}
BENCHMARK(BM_NothingAtAll);

void BM_EightStatements(benchmark::State& state) {
  work(state, kEightStatements);
}
BENCHMARK(BM_EightStatements);

void BM_LabToFhir(benchmark::State& state) {
  work(state, kLabToFhir);
}
BENCHMARK(BM_LabToFhir);

void BM_PassThrough(benchmark::State& state) {
  work(state, "function main(msg) if msg.type == 'ORU^R01' then send('ehr', msg) end end");
}
BENCHMARK(BM_PassThrough);

void BM_EachObservation(benchmark::State& state) {
  work(state, R"(function main(msg)
    local count = 0
    for order in msg:groups("ORDER_OBSERVATION") do
      for obx in order:each("OBX") do if obx["3.1"] == "2823-3" then count = count + 1 end end
    end
    send("ehr", msg)
  end)");
}
BENCHMARK(BM_EachObservation);

void BM_Skip(benchmark::State& state) {
  work(state, "function main(msg) return skip('no') end");
}
BENCHMARK(BM_Skip);

void BM_MillionInstructions(benchmark::State& state) {
  work(state, "function main(msg) local n = 0 for i = 1, 333333 do n = n + i % 7 end end");
}
BENCHMARK(BM_MillionInstructions);

void BM_SortThousand(benchmark::State& state) {
  work(state, R"(function main(msg)
    local list = {} for i = 1, 1000 do list[i] = i * 7919 % 1009 end
    table.sort(list, function(a, b) return a > b end)
  end)");
}
BENCHMARK(BM_SortThousand);

void BM_Gsub(benchmark::State& state) {
  work(state, "local s = ('word and '):rep(200) function main(msg) s:gsub('%w+', '<%0>') end");
}
BENCHMARK(BM_Gsub);

}  // namespace
}  // namespace cannula::script
