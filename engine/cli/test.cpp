// cannula test: the channel tests of a site.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/trial_site.h"
#include "engine/cli/verb.h"
#include "engine/trial/suite.h"

namespace cannula::cli {
namespace {

using Json = nlohmann::ordered_json;
using trial::TestResult;

struct TestOptions {
  std::vector<std::string> names;  // a site, channels
  bool update = false;
};

std::string text_of(const TestResult& result) {
  std::string text = fmt::format("{}  {}/{}\n", result.passed() ? "ok    " : "FAILED",
                                 result.channel, result.name);
  text += render(result.mistakes);
  for (const trial::Failure& failure : result.failures) {
    text += render(failure.finding);
    for (const std::string& detail : failure.details) text += indented(detail, 8);
  }
  for (const auto& file : result.updated)
    text += fmt::format("        written: {}\n", file.string());
  return text;
}

Json json_of(const TestResult& result) {
  Json findings = Json::array();
  for (const Diagnostic& finding : result.mistakes) findings.push_back(finding_json(finding));
  for (const trial::Failure& failure : result.failures) {
    Json finding = finding_json(failure.finding);
    if (!failure.details.empty()) finding["details"] = failure.details;
    findings.push_back(std::move(finding));
  }
  Json updated = Json::array();
  for (const auto& file : result.updated) updated.push_back(file.string());
  return {{"channel", result.channel}, {"name", result.name},  {"description", result.description},
          {"passed", result.passed()}, {"findings", findings}, {"updated", updated}};
}

std::string summary(std::size_t all, std::size_t failed) {
  const auto tests = [](std::size_t count) {
    return fmt::format("{} {}", count, count == 1 ? "test" : "tests");
  };
  if (failed == 0) return tests(all) + " passed\n";
  return fmt::format("{} of {} failed\n", failed, tests(all));
}

// The first name is the site when it is a folder with a site.toml, or where there is no site here
// whose channel it could be; all others are channels.
std::string take_site(std::vector<std::string>& names) {
  if (names.empty()) return {};
  const bool is_path = names.front().find('/') != std::string::npos || names.front() == ".";
  if (!is_site(names.front()) && !is_path && site_folder("")) return {};
  std::string site = names.front();
  names.erase(names.begin());
  return site;
}

int test(const TestOptions& options, const Context& context) {
  std::vector<std::string> names = options.names;
  if (names.size() > 1 && !is_site(names.front()) && is_site(names.back())) {
    const std::string site = names.back();
    names.pop_back();
    print_error(context, {"U103", fmt::format("{} is the site, and comes first", site),
                          fmt::format("cannula test {} {}", site, fmt::join(names, " "))});
    return kUsage;
  }
  const TrialSite loaded = load_trial_site(take_site(names), context);
  if (!loaded.site) return loaded.exit;
  if (names.empty()) {
    for (const auto& [name, channel] : loaded.site->channels) names.push_back(name);
  }
  std::vector<TestResult> results;
  for (const std::string& name : names) {
    const config::ChannelConfig* channel = find_channel(*loaded.site, name, context);
    if (channel == nullptr) return kUsage;
    for (TestResult& result : trial::run_tests(*loaded.site, *channel, options.update)) {
      if (!context.json) print(context.out, text_of(result));
      results.push_back(std::move(result));
    }
  }
  const auto failed = static_cast<std::size_t>(std::count_if(
      results.begin(), results.end(), [](const TestResult& result) { return !result.passed(); }));
  if (context.json) {
    Json tests = Json::array();
    for (const TestResult& result : results) tests.push_back(json_of(result));
    const Json all{{"tests", tests}, {"passed", results.size() - failed}, {"failed", failed}};
    print(context.out, all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } else if (!results.empty()) {
    print(context.out, summary(results.size(), failed));
  }
  if (results.empty()) {
    print_error(context, {"U108", "there are no channel tests, so nothing was tested",
                          "write channels/NAME/tests/WHAT.test.toml: see docs/how-to/"
                          "test-a-channel.md"});
    return kFailed;
  }
  return failed == 0 ? kFine : kFailed;
}

}  // namespace

Verb test_verb() {
  auto options = std::make_shared<TestOptions>();
  return {.name = "test",
          .summary =
              "Run the channel tests of a site: what comes in, against what is expected to "
              "go out.",
          .example =
              "cannula test my-site\ncannula test my-site lab-results\n"
              "cannula test --update      # take what comes out as expected",
          .declare =
              [options](Arguments& arguments) {
                arguments.flag("--update", options->update,
                               "Write what came into the payloads that were expected and differ.");
                arguments.positionals("SITE|CHANNEL", options->names,
                                      "The site's folder, then channels; all when none is named.");
              },
          .run = [options](const Context& context) { return test(*options, context); }};
}

}  // namespace cannula::cli
