// The lab channel of samples/riverside, work only: bytes of a result in, FHIR transaction out, with
// its real script, tables and rules. One thread; how many messages a second one core works.
#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>

#include "channels/file/file.h"
#include "channels/http/http.h"
#include "channels/mllp/mllp.h"
#include "engine/config/site.h"
#include "engine/script/runtime.h"

namespace cannula::script {
namespace {

class SiteHost : public Host {
 public:
  explicit SiteHost(std::shared_ptr<const rules::Resources> resources)
      : resources_(std::move(resources)) {}
  std::int64_t now() const override { return 1'768'469'442'000'000; }  // 2026-01-15
  std::optional<std::string> state(const std::string&, const std::string&) const override {
    return std::nullopt;
  }
  Result<std::string> secret(const std::string&, const std::string& name) const override {
    return Error{"C140", "no secret " + name, "", {}};
  }
  std::shared_ptr<const rules::Resources> resources() const override { return resources_; }

 private:
  std::shared_ptr<const rules::Resources> resources_;
};

std::shared_ptr<const Program> program_of(const config::Site& site, const std::string& name) {
  const config::ChannelConfig& channel = site.channels.at(name);
  auto program = std::make_shared<Program>();
  program->channel = name;
  program->main = channel.script;
  program->modules = site.modules;
  program->timezone = channel.timezone;
  for (const auto& destination : channel.destinations) {
    program->destinations.push_back(destination.name);
  }
  return program;
}

void lab_channel(benchmark::State& state, const char* file) {
  const std::filesystem::path root = CANNULA_RIVERSIDE;
  const std::vector<Transport> transports = {mllp::transport(), http::transport(),
                                             http::fhir_transport(), file::transport()};
  const config::LoadedSite loaded = config::load_site(root, transports);
  std::ifstream stream(root / "messages" / file, std::ios::binary);
  const Bytes body = make_bytes(std::string(std::istreambuf_iterator<char>(stream), {}));
  if (!loaded.site || body->empty()) return state.SkipWithError("the sample site cannot be read");

  SiteHost host(loaded.site->resources);
  MemoryPool pool(1u << 30);
  auto read = Runtime::load(program_of(*loaded.site, "lab-results"), {}, host, pool);
  auto* runtime = std::get_if<std::unique_ptr<Runtime>>(&read);
  if (runtime == nullptr) return state.SkipWithError("the script does not load");
  std::int64_t bytes_out = 0;
  for (auto _ : state) {
    Input input;
    input.id = "01JTEST0LAB00";
    input.body = body;
    input.received_at = host.now();
    const auto run = (*runtime)->begin(std::move(input));
    while (run->resume(std::chrono::milliseconds(5)) == Run::Step::suspended) {
    }
    const Conclusion conclusion = run->conclusion();
    if (conclusion.kind != Conclusion::Kind::finished || conclusion.sends.empty()) {
      return state.SkipWithError(conclusion.reason.c_str());
    }
    bytes_out += static_cast<std::int64_t>(conclusion.sends[0].payload->size());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes_out);
}

BENCHMARK_CAPTURE(lab_channel, panel, "lab-normal-panel.hl7");
BENCHMARK_CAPTURE(lab_channel, critical, "lab-critical-potassium.hl7");

}  // namespace
}  // namespace cannula::script
