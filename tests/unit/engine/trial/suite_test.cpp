#include "engine/trial/suite.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace cannula::trial {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

constexpr const char* kScript = R"(
function main(msg)
  if msg["PID-3.1"] == nil then return park("no patient") end
  if msg["PID-3.1"] == "0" then return reject("not ours") end
  state.count = (state.count or 0) + 1
  log.info("routed", { n = state.count })
  msg["PID-3.4"] = "GEN"
  send("ehr", msg, { key = msg["PID-3.1"], priority = "stat" })
  if msg["PID-8"] == "F" then send("review", '{"at": ' .. time.now() .. ', "v": 7.10}') end
end
function on_response(msg, destination, response)
  if response.text == "no" then return park("refused by " .. destination) end
  send("review", response.text)
end
)";

constexpr const char* kMessage = R"(
[message]
text = '''
MSH|^~\&|LAB|NORTH|||20260115||ADT^A08|1|P|2.5.1
PID|1||777001||Muster^Anna|||F
'''
)";

class SuiteTest : public testing::Test {
 protected:
  SuiteTest() {
    folder_ = fs::temp_directory_path() / ("trial-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(tests());
    channel_.name = "lab";
    channel_.script = std::make_shared<Source>("channels/lab/main.lua", kScript);
    for (const char* name : {"ehr", "review"}) {
      config::DestinationConfig destination;
      destination.name = name;
      channel_.destinations.push_back(destination);
    }
    site_.root = folder_;
  }
  ~SuiteTest() override { fs::remove_all(folder_); }

  fs::path tests() const { return folder_ / "channels" / "lab" / "tests"; }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(tests() / name, std::ios::binary) << text;
  }
  std::string read(const std::string& name) {
    std::ifstream file(tests() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The only test, with this text.
  TestResult run(const std::string& text, bool update = false) {
    write("one.test.toml", text);
    site_.channels = {{"lab", channel_}};
    auto results = run_tests(site_, channel_, update);
    EXPECT_EQ(results.size(), 1u);
    return results.at(0);
  }
  static std::vector<std::string> codes(const TestResult& result) {
    std::vector<std::string> codes;
    for (const Diagnostic& finding : result.mistakes) codes.push_back(finding.code);
    for (const Failure& failure : result.failures) codes.push_back(failure.finding.code);
    return codes;
  }
  // The line of the test file that the nth failure points to.
  static std::string_view line_of(const TestResult& result, std::size_t nth = 0) {
    const Diagnostic& finding = result.failures.at(nth).finding;
    return finding.source->line(finding.source->position(finding.span->begin).line);
  }

  fs::path folder_;
  config::Site site_;
  config::ChannelConfig channel_;
};

TEST_F(SuiteTest, ATestPassesWhenAllIsAsExpected) {
  const TestResult result = run(std::string(kMessage) + R"(
[[message.answer]]
from = "ehr"
text = "thanks"
expect = { sends = 1 }
)");
  EXPECT_THAT(codes(result), ElementsAre("C107")) << "sends is 0 or a list";
  const TestResult good = run("now = 2026-01-15T09:30:00Z\n" + std::string(kMessage) + R"(
[[message.answer]]
from = "ehr"
text = "thanks"
[[message.answer.expect.send]]
to = "review"
text = "thanks"
[[message.answer]]
from = "review"
text = "no"
expect = { outcome = "parked", reason = "refused by review" }

[expect]
outcome = "done"
log = ["info: routed {\"n\":1}"]
no_log = ["warn"]
state = { count = 1 }
no_state = ["other"]
misses = []
reply = false

[[expect.send]]
to = "ehr"
key = "777001"
priority = "stat"
fields = { "PID-3" = "777001^^^GEN", "PID-9" = { absent = true } }
[[expect.send]]
to = "review"
text = '{"v": 7.10, "at": 1768469400.0}'
)");
  EXPECT_TRUE(good.passed()) << render(good.mistakes)
                             << (good.failures.empty() ? "" : render(good.failures[0].finding));
}

TEST_F(SuiteTest, EachFailureStandsAtItsExpectation) {
  const std::string test = std::string(kMessage) + R"(
[expect]
log = "nothing of this"
state = { count = 2 }
[[expect.send]]
to = "ehr"
key = "777002"
text = 'MSH|^~\&|LAB'
fields = { "PID-3.4" = "GENE" }
contains = "Nobody"
lacks = "Muster"
)";
  const TestResult result = run(test);
  EXPECT_THAT(codes(result), testing::UnorderedElementsAre("V202", "V202", "V202", "V202", "V204",
                                                           "V205", "V206", "V207"));
  EXPECT_EQ(line_of(result), "text = 'MSH|^~\\&|LAB'");
  EXPECT_THAT(result.failures[0].details, testing::Contains(HasSubstr("MSH-4")));
}

TEST_F(SuiteTest, AnotherOutcomeIsToldAlone) {
  const TestResult result =
      run("[message]\ntext = 'MSH|^~\\&|LAB'\n[expect]\nsends = 0\n"
          "outcome = \"done\"\nlog = \"x\"\n");
  EXPECT_THAT(codes(result), ElementsAre("V201"));
  EXPECT_EQ(line_of(result), "outcome = \"done\"");
  EXPECT_THAT(result.failures[0].details, ElementsAre("no patient"));
}

TEST_F(SuiteTest, AScriptThatFailsIsAFailureUnlessExpected) {
  channel_.script = std::make_shared<Source>("main.lua", "function main(msg) error('broken') end");
  EXPECT_THAT(codes(run(std::string(kMessage) + "[expect]\nno_log = \"x\"\n")),
              ElementsAre("V201"));
  EXPECT_TRUE(
      run(std::string(kMessage) + "[expect]\noutcome = \"dead\"\nreason = \"broken\"\n").passed());
  channel_.script = std::make_shared<Source>("main.lua", "function main(msg)");
  EXPECT_THAT(codes(run(std::string(kMessage) + "[expect]\nno_log = \"x\"\n")),
              ElementsAre("L101"));
}

TEST_F(SuiteTest, MessagesShareTheStateAndTheirTimeGoesOn) {
  channel_.script = std::make_shared<Source>("main.lua", R"(
    function main(msg)
      local first = state.first or time.now()
      state.first = first
      send("ehr", tostring(math.floor(time.now() - first)) .. " " .. msg.partner)
    end)");
  const std::string message = "\ntext = 'MSH|^~\\&|LAB'\n";
  const TestResult result =
      run("now = 2026-01-15T09:30:00Z\n[state]\nother = [1, 2]\n[[message]]" + message +
          "partner = \"north\"\n[[message.expect.send]]\nto = \"ehr\"\ntext = \"0 north\"\n"
          "[[message]]\nafter = \"5m\"" +
          message +
          "[message.expect]\nstate = { other = [1, 2], first = 1768469400.0 }\n"
          "[[message.expect.send]]\nto = \"ehr\"\ntext = \"300 \"\n");
  EXPECT_TRUE(result.passed()) << render(result.mistakes) << result.failures.size();
}

TEST_F(SuiteTest, MistakesOfTheFileAreFindings) {
  const auto mistakes = [&](const std::string& text) { return codes(run(text)); };
  const std::string expect = "[expect]\noutcome = \"done\"\n";
  EXPECT_THAT(mistakes(kMessage), ElementsAre("V101"));
  EXPECT_THAT(mistakes(expect), ElementsAre("V102"));
  EXPECT_THAT(mistakes("[message]\n" + expect), ElementsAre("V102"));
  EXPECT_THAT(mistakes("[message]\nfile = \"gone.hl7\"\n" + expect), ElementsAre("V103"));
  EXPECT_THAT(mistakes("now = \"soon\"" + std::string(kMessage) + expect), ElementsAre("V104"));
  EXPECT_THAT(mistakes(std::string(kMessage) + "[expect]\noutcom = \"done\"\n"),
              ElementsAre("C103"));
  EXPECT_THAT(mistakes(std::string(kMessage) + "[expect]\noutcome = \"well\"\n"),
              testing::Contains("C106"));
  EXPECT_THAT(mistakes(std::string(kMessage) + "[[expect.send]]\nto = \"her\"\n"),
              ElementsAre("V104"));
  EXPECT_THAT(mistakes(std::string(kMessage) + "[[expect.send]]\nto = \"ehr\"\ntext = \"\"\n"
                                               "as_received = true\n"),
              ElementsAre("V104"));
  EXPECT_THAT(mistakes("[[message]]\ntext = \"a\"\n[[message]]\ntext = \"b\"\n" + expect),
              ElementsAre("V104"));
  EXPECT_THAT(mistakes("[expect\n"), ElementsAre("C101"));
}

TEST_F(SuiteTest, UpdateWritesWhatCame) {
  const std::string test = std::string(kMessage) + R"(
[[expect.send]]
to = "ehr"
file = "expected/ehr.hl7"
[[expect.send]]
to = "review"
text = "old"   # kept
fields = { "v" = "7.10" }
)";
  EXPECT_THAT(codes(run(test)), ElementsAre("V202", "V202"));
  const TestResult updated = run(test, true);
  EXPECT_TRUE(updated.passed());
  EXPECT_EQ(updated.updated.size(), 2u);
  EXPECT_EQ(read("expected/ehr.hl7"),
            "MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|1|P|2.5.1\n"
            "PID|1||777001^^^GEN||Muster^Anna|||F\n");
  EXPECT_THAT(read("one.test.toml"), HasSubstr("text = '''\n{\n  \"at\": 1767268800.0,\n  \"v\": "
                                               "7.10\n}\n'''   # kept\nfields"));
  EXPECT_THAT(run(read("one.test.toml"), true).updated, IsEmpty());
}

TEST_F(SuiteTest, UpdateLeavesOtherExpectationsFailing) {
  const TestResult result = run(std::string(kMessage) + R"(
[[expect.send]]
to = "ehr"
file = "ehr.hl7"
key = "no"
[[expect.send]]
to = "review"
)",
                                true);
  EXPECT_THAT(codes(result), ElementsAre("V205"));
  EXPECT_EQ(result.updated.size(), 1u);
}

TEST_F(SuiteTest, ATextComesInAsItsMshEighteenSays) {
  channel_.script = std::make_shared<Source>("main.lua", R"(
    function main(msg)
      send("ehr", msg["PID-5"] .. (msg.raw:find("M\xFCller", 1, true) and " in one byte" or ""))
    end)");
  const std::string text =
      "[message]\ntext = '''MSH|^~\\&|LAB||||||A|1|P|2||||||8859/1\n"
      "PID|||||Müller'''\n[[expect.send]]\nto = \"ehr\"\ntext = \"Müller in one byte\"\n";
  EXPECT_TRUE(run(text).passed());
}

TEST_F(SuiteTest, AnAnswerNeedsAHandlerAndADelivery) {
  const std::string answer =
      "[[message.answer]]\nfrom = \"ehr\"\ntext = \"x\"\n[expect]\noutcome = "
      "\"done\"\n";
  channel_.script = std::make_shared<Source>("main.lua", "function main() end");
  EXPECT_THAT(codes(run(std::string(kMessage) + answer)), ElementsAre("V203"));
  channel_.script = std::make_shared<Source>("main.lua", "function main(msg) send('ehr', msg) end");
  EXPECT_THAT(codes(run(std::string(kMessage) + answer)), ElementsAre("V211"));
}

}  // namespace
}  // namespace cannula::trial
