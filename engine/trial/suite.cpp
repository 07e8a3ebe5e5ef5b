#include "engine/trial/suite.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "engine/config/folder.h"

namespace cannula::trial {
namespace {

namespace fs = std::filesystem;

// The ordinal of the nth send to a destination; nothing when there are fewer.
std::optional<std::uint32_t> ordinal_of(const Ran& ran, const std::string& destination,
                                        std::int64_t nth) {
  for (std::uint32_t at = 0; at < ran.conclusion.sends.size(); ++at) {
    if (ran.conclusion.sends[at].destination == destination && --nth == 0) return at;
  }
  return std::nullopt;
}

void run_answer(const ChannelTest& test, Trial& trial, const TestMessage& message, const Ran& ran,
                const TestAnswer& answer, const std::string& what, Checked& checked) {
  const auto ordinal = ordinal_of(ran, answer.from.text, answer.nth);
  if (!ordinal) {
    return fail(test, checked, "V203", answer.from.span,
                fmt::format("{}: `{}` cannot answer, because {} was sent there", what,
                            answer.from.text, answer.nth == 1 ? "nothing" : "not as much"),
                "");
  }
  if (!trial.takes_answers()) {
    return fail(test, checked, "V211", answer.from.span,
                "the script takes no answers: it does not define on_response",
                "write: function on_response(msg, destination, response) … end");
  }
  GivenAnswer given = answer.given;
  given.ordinal = *ordinal;
  const Ran answered = trial.answer(message.given, given);
  check(test, answer.expect, message.given, answered, trial.state(),
        fmt::format("{}, answer of `{}`", what, answer.from.text), checked);
}

void run_test(const config::Site& site, const ChannelTest& test, Checked& checked) {
  auto loaded = Trial::load(site, test.channel);
  if (auto* findings = std::get_if<std::vector<Diagnostic>>(&loaded)) {
    for (Diagnostic& finding : *findings) checked.failures.push_back({std::move(finding), {}});
    return;
  }
  Trial& trial = *std::get<std::unique_ptr<Trial>>(loaded);
  trial.state() = test.state;
  for (std::size_t at = 0; at < test.messages.size(); ++at) {
    const TestMessage& message = test.messages[at];
    const std::string what =
        test.messages.size() == 1 ? "the message" : fmt::format("message {}", at + 1);
    const Ran ran = trial.work(message.given);
    if (!check(test, message.expect, message.given, ran, trial.state(), what, checked)) continue;
    for (const TestAnswer& answer : message.answers) {
      run_answer(test, trial, message, ran, answer, what, checked);
    }
  }
}

bool write_file(const fs::path& path, std::string_view text) {
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  return static_cast<bool>(out);
}

// A TOML string that holds the text as it stands where that is possible.
std::string toml_text(const std::string& text) {
  const bool literal = text.find("'''") == std::string::npos && !text.ends_with('\'') &&
                       std::none_of(text.begin(), text.end(), [](unsigned char c) {
                         return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
                       });
  if (literal) return "'''\n" + text + "'''";
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

void update_payloads(const ChannelTest& test, const Checked& checked, TestResult& result) {
  std::vector<const Rewrite*> inside;
  for (const Rewrite& rewrite : checked.rewrites) {
    if (rewrite.expected->text) {
      inside.push_back(&rewrite);
      continue;
    }
    const fs::path path = (test.folder / rewrite.expected->file->text).lexically_normal();
    if (write_file(path, rewrite.text)) result.updated.push_back(path);
  }
  if (inside.empty()) return;
  // From the end, so that the places before stay where they are.
  std::sort(inside.begin(), inside.end(), [](const Rewrite* left, const Rewrite* right) {
    return left->expected->text->span.begin > right->expected->text->span.begin;
  });
  std::string text(test.source->text());
  for (const Rewrite* rewrite : inside) {
    const Span span = rewrite->expected->text->span;
    text.replace(span.begin, span.size(), toml_text(rewrite->text));
  }
  const fs::path path = test.folder / (test.name + ".test.toml");
  if (write_file(path, text)) result.updated.push_back(path);
}

TestResult run_file(const config::Site& site, const config::ChannelConfig& channel,
                    const fs::path& file, bool update) {
  TestResult result;
  for (const bool again : {false, true}) {
    const std::vector<fs::path> updated = std::move(result.updated);
    result = TestResult{};
    const ChannelTest test = read_test(site, channel, file, result.mistakes);
    result.channel = test.channel;
    result.name = test.name;
    result.description = test.description;
    result.updated = updated;
    if (has_errors(result.mistakes)) return result;
    Checked checked;
    run_test(site, test, checked);
    result.failures = std::move(checked.failures);
    if (again || !update || checked.rewrites.empty()) return result;
    update_payloads(test, checked, result);
  }
  return result;
}

}  // namespace

std::vector<TestResult> run_tests(const config::Site& site, const config::ChannelConfig& channel,
                                  bool update) {
  std::vector<TestResult> results;
  std::vector<Diagnostic> findings;
  const fs::path folder = fs::path("channels") / channel.name / "tests";
  for (const std::string& name : config::list_folder(site.root, folder, findings)) {
    if (!name.ends_with(".test.toml")) continue;
    // As a person would name it from where they stand.
    fs::path file = site.root / folder / name;
    std::error_code error;
    const fs::path nearer = fs::relative(file, error);
    if (!error && nearer.string().size() < file.string().size()) file = nearer;
    results.push_back(run_file(site, channel, file, update));
  }
  return results;
}

}  // namespace cannula::trial
