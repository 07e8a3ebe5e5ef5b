#include "engine/trial/trial.h"

#include <fmt/format.h>

#include "engine/trial/lines.h"

namespace cannula::trial {

// The ports of a script that has no engine around it, and the script on them.
class Trial::Stage final : public script::Host {
 public:
  Stage(const config::Site& site, const config::ChannelConfig& channel)
      : site_(site), pool_(channel.script_memory) {
    auto program = std::make_shared<script::Program>();
    program->channel = channel.name;
    program->main = channel.script;
    program->modules = site.modules;
    program->timezone = channel.timezone;
    program->charset = channel.charset;
    for (const auto& destination : channel.destinations) {
      program->destinations.push_back(destination.name);
    }
    program_ = std::move(program);
    limits_.memory = channel.script_memory;
    limits_.time = channel.script_time;
  }

  std::vector<Diagnostic> load() {
    auto loaded = script::Runtime::load(program_, limits_, *this, pool_);
    if (auto* findings = std::get_if<std::vector<Diagnostic>>(&loaded)) return *findings;
    runtime_ = std::get<std::unique_ptr<script::Runtime>>(std::move(loaded));
    return {};
  }

  std::int64_t now() const override { return now_; }
  std::optional<std::string> state(const std::string&, const std::string& key) const override {
    const auto found = state_.find(key);
    return found == state_.end() ? std::nullopt : std::optional(found->second);
  }
  // Tests must run where the secrets are not, so none is read: the script cannot see it anyway.
  Result<std::string> secret(const std::string&, const std::string& name) const override {
    if (site_.secrets.contains(name)) return "the secret " + name;
    return Error{"P306", "there is no secret named \"" + name + "\"",
                 "name it under [secrets] in site.toml"};
  }
  std::shared_ptr<const rules::Resources> resources() const override { return site_.resources; }

  const config::Site& site_;
  script::MemoryPool pool_;
  script::Limits limits_;
  std::shared_ptr<const script::Program> program_;
  std::unique_ptr<script::Runtime> runtime_;  // after pool_ and program_: it uses them to the end
  std::int64_t now_ = 0;
  State state_;
};

Trial::Trial(std::unique_ptr<Stage> stage) : stage_(std::move(stage)) {}
Trial::~Trial() = default;

std::variant<std::unique_ptr<Trial>, std::vector<Diagnostic>> Trial::load(
    const config::Site& site, const std::string& channel) {
  auto stage = std::make_unique<Stage>(site, site.channels.at(channel));
  if (auto findings = stage->load(); !findings.empty()) return findings;
  return std::unique_ptr<Trial>(new Trial(std::move(stage)));
}

Trial::State& Trial::state() {
  return stage_->state_;
}

bool Trial::takes_answers() const {
  return stage_->runtime_->has_response_handler();
}

namespace {

// The same in every run, so that what is derived from it can be expected: numbered, and unlike any
// id that an engine gives.
std::string message_id(std::uint32_t number) {
  return fmt::format("0TEST{:08d}", number);
}

script::Input input_of(const GivenMessage& message, std::uint32_t number) {
  script::Input input;
  input.id = message_id(number);
  input.body = message.body;
  input.received_at = message.now;
  input.partner = message.partner;
  input.attributes = message.attributes;
  return input;
}

}  // namespace

Ran Trial::work(const GivenMessage& message) {
  stage_->now_ = message.now;
  return run(input_of(message, ++messages_));
}

Ran Trial::answer(const GivenMessage& message, const GivenAnswer& answer) {
  stage_->now_ = message.now;
  script::Input input = input_of(message, messages_);
  input.response =
      script::Response{answer.ordinal, answer.destination, answer.body, answer.attributes};
  return run(std::move(input));
}

Ran Trial::run(script::Input input) {
  // As in the engine: a state that hit a limit is not used again.
  if (stage_->runtime_->closed()) stage_->load();
  const Bytes body = input.body;
  const auto run = stage_->runtime_->begin(std::move(input));
  while (run->resume(std::chrono::milliseconds(50)) == script::Run::Step::suspended) {
  }
  Ran ran{run->conclusion(), {}};
  for (script::Send& send : ran.conclusion.sends) {
    if (!send.payload) send.payload = body;
  }
  for (const script::StateWrite& write : ran.conclusion.state_writes) {
    if (write.value) {
      stage_->state_[write.key] = *write.value;
    } else {
      stage_->state_.erase(write.key);
    }
  }
  for (const auto line : lines_of(ran.conclusion.trace)) ran.trace.emplace_back(line);
  return ran;
}

}  // namespace cannula::trial
