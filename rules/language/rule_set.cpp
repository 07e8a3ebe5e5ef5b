#include "rules/language/rule_set.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "rules/language/checker.h"
#include "rules/language/dispatch.h"
#include "rules/language/evaluator.h"
#include "rules/language/explanation.h"
#include "rules/language/rule_tests.h"
#include "rules/language/syntax.h"

namespace cannula::rules {
namespace {

constexpr std::size_t kLargestFile = 16'000'000;

class CompiledRules : public RuleSet {
 public:
  explicit CompiledRules(Program program) : program_(std::move(program)), dispatch_(program_) {}

  const std::string& name() const override { return program_.name; }
  std::size_t size() const override { return program_.rules.size(); }
  Verdict evaluate(const facts::Case& facts, std::int64_t now, const Each& each) const override {
    return rules::evaluate(program_, dispatch_, facts, now, each);
  }
  std::vector<TestResult> run_tests() const override {
    return rules::run_tests(program_, dispatch_);
  }
  std::optional<std::string> explain(std::string_view rule) const override {
    return rules::explain(program_, rule);
  }
  std::vector<std::string> rule_names() const override {
    std::vector<std::string> names;
    for (const Rule& rule : program_.rules) {
      if (std::find(names.begin(), names.end(), rule.name) == names.end()) {
        names.push_back(rule.name);
      }
    }
    return names;
  }
  const Source& source() const override { return *program_.source; }
  std::vector<std::pair<std::string, std::string>> sayings() const override {
    std::vector<std::pair<std::string, std::string>> sayings;
    sayings.reserve(program_.rules.size());
    for (const Rule& rule : program_.rules) {
      sayings.emplace_back(fmt::format("{} version {}", rule.name, rule.version),
                           saying(program_, rule));
    }
    return sayings;
  }
  std::vector<Diagnostic> changed_under_their_version(const RuleSet& before) const override {
    std::multimap<std::string, std::string> was;
    for (auto& [rule, text] : before.sayings()) was.emplace(rule, std::move(text));
    std::vector<Diagnostic> findings;
    const auto is = sayings();
    for (std::size_t i = 0; i < is.size(); ++i) {
      const auto [first, last] = was.equal_range(is[i].first);
      if (first == last ||
          std::any_of(first, last, [&](const auto& each) { return each.second == is[i].second; })) {
        continue;
      }
      findings.push_back(changed(program_.rules[i]));
    }
    return findings;
  }

 private:
  Diagnostic changed(const Rule& rule) const {
    Diagnostic finding;
    finding.severity = Severity::warning;
    finding.code = "R231";
    finding.source = program_.source;
    finding.span = rule.span;
    finding.message =
        fmt::format("{} says something else than the rule in use, and is version {} still",
                    rule.name, rule.version);
    finding.hint =
        fmt::format("write version {}, so that what is on record says which of the two it was",
                    rule.version + 1);
    return finding;
  }

  Program program_;
  Dispatch dispatch_;
};

// The first byte that is not UTF-8, or a zero byte; nullopt when there is none.
std::optional<std::size_t> not_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == 0) return at;
    const std::size_t length = byte < 0x80                   ? 1
                               : byte >= 0xC2 && byte < 0xE0 ? 2
                               : byte >= 0xE0 && byte < 0xF0 ? 3
                               : byte >= 0xF0 && byte < 0xF5 ? 4
                                                             : 0;
    if (length == 0 || at + length > text.size()) return at;
    for (std::size_t i = 1; i < length; ++i) {
      if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return at;
    }
    at += length;
  }
  return std::nullopt;
}

std::optional<Diagnostic> unreadable(const std::shared_ptr<const Source>& source) {
  Diagnostic finding;
  finding.source = source;
  if (source->text().size() > kLargestFile) {
    finding.code = "R223";
    finding.message = "this file is too large for rules";
    finding.hint = "divide it into several; up to 16 MB are read";
    return finding;
  }
  if (const auto at = not_utf8(source->text())) {
    finding.code = "R223";
    finding.span = Span{*at, *at + 1};
    finding.message = "this is not text in UTF-8";
    finding.hint = "save the file as UTF-8";
    return finding;
  }
  return std::nullopt;
}

void sort_by_place(std::vector<Diagnostic>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return (a.span ? a.span->begin : 0) < (b.span ? b.span->begin : 0);
  });
}

}  // namespace

RuleSet::Compiled RuleSet::compile(std::string name, std::shared_ptr<const Source> source) {
  Compiled compiled;
  if (auto finding = unreadable(source)) {
    compiled.findings.push_back(std::move(*finding));
    return compiled;
  }
  Syntax syntax = read_syntax(source);
  compiled.findings = syntax.findings;
  Program program = check(std::move(name), source, syntax, compiled.findings);
  sort_by_place(compiled.findings);
  if (!has_errors(compiled.findings)) {
    compiled.set = std::make_shared<const CompiledRules>(std::move(program));
  }
  return compiled;
}

}  // namespace cannula::rules
