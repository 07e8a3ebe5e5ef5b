// Loads a script and works messages with it, over a host whose clock, state and secrets the test
// sets.
#pragma once

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/script/runtime.h"

namespace cannula::script {

inline constexpr std::string_view kResult =
    "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115093042||ORU^R01^ORU_R01|L0001|P|2.5.1\r"
    "PID|1||777001^^^NORTH^MR~888^^^CITY^PI||Muster^Anna^B||19610615|F|||12 Elm "
    "St^^Springfield|||||||\"\"\r"
    "OBR|1|A1|F1|24323-8^Panel^LN\r"
    "OBX|1|NM|2823-3^Potassium^LN||7.1|mmol/L|3.5-5.1|HH|||F\r"
    "NTE|1||repeat\r"
    "OBX|2|NM|2951-2^Sodium^LN||140|mmol/L|135-145||||F\r"
    "OBR|2|A2|F2|58410-2^CBC^LN\r"
    "OBX|1|NM|718-7^Hemoglobin^LN||13.2|g/dL|||||F\r"
    "ZPI|1|kept^as is\r";

class FakeHost : public Host {
 public:
  std::int64_t now() const override { return time; }
  std::optional<std::string> state(const std::string&, const std::string& key) const override {
    const auto found = kept.find(key);
    return found == kept.end() ? std::nullopt : std::optional(found->second);
  }
  Result<std::string> secret(const std::string&, const std::string& name) const override {
    if (name == "ehr") return std::string("open sesame");
    return Error{"C140", "there is no secret '" + name + "'", "", {}};
  }
  std::shared_ptr<const rules::Resources> resources() const override { return known; }

  std::int64_t time = 1768469442'123456;  // 2026-01-15T09:30:42.123456Z
  std::map<std::string, std::string> kept;
  std::shared_ptr<const rules::Resources> known = std::make_shared<const rules::Resources>();
};

class ScriptTest : public testing::Test {
 protected:
  std::vector<Diagnostic> load(std::string text) {
    program_ = std::make_shared<Program>();
    program_->channel = "lab";
    program_->timezone = timezone_;
    program_->main = std::make_shared<Source>("channels/lab/main.lua", std::move(text));
    program_->destinations = {"ehr", "review", "archive"};
    for (const auto& [name, module] : modules_) {
      program_->modules[name] = std::make_shared<Source>("lib/" + name + ".lua", module);
    }
    auto loaded = Runtime::load(program_, limits_, host_, pool_);
    if (auto* findings = std::get_if<std::vector<Diagnostic>>(&loaded)) return *findings;
    runtime_ = std::get<std::unique_ptr<Runtime>>(std::move(loaded));
    return {};
  }

  Input input(std::string_view message = kResult) {
    Input given;
    given.id = "01JTEST";
    given.partner = "north";
    given.received_at = 1768469442'000000;
    given.body = make_bytes(std::string(message));
    return given;
  }

  Conclusion finish(script::Run& run,
                    std::chrono::microseconds slice = std::chrono::milliseconds(5)) {
    while (run.resume(slice) == script::Run::Step::suspended) ++slices_;
    return run.conclusion();
  }

  // Loads the script and works the message with it.
  Conclusion work(std::string text, std::string_view message = kResult) {
    const std::vector<Diagnostic> findings = load(std::move(text));
    EXPECT_TRUE(findings.empty()) << render(findings);
    if (!findings.empty()) return {};
    const auto run = runtime_->begin(input(message));
    return finish(*run);
  }

  // The payload of the only send, of a script whose main is `body`.
  std::string sent(const std::string& body, std::string_view message = kResult) {
    const Conclusion conclusion = work("function main(msg)\n" + body + "\nend", message);
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
    EXPECT_EQ(conclusion.sends.size(), 1u);
    if (conclusion.sends.size() != 1) return {};
    return conclusion.sends[0].payload ? *conclusion.sends[0].payload : "(as received)";
  }

  // The reason a script whose main is `body` fails with.
  std::string failure(const std::string& body, std::string_view message = kResult) {
    const Conclusion conclusion = work("function main(msg)\n" + body + "\nend", message);
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::failed);
    EXPECT_TRUE(conclusion.sends.empty());
    code_ = conclusion.code;
    return conclusion.reason;
  }

  FakeHost host_;
  MemoryPool pool_{512u << 20};
  Limits limits_;
  std::map<std::string, std::string> modules_;
  std::string timezone_;
  std::shared_ptr<Program> program_;
  std::unique_ptr<Runtime> runtime_;
  std::string code_;
  int slices_ = 0;
};

}  // namespace cannula::script
