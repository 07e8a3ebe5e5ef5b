// `cannula rules check|test|explain`.
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/rule_files.h"
#include "engine/cli/verb.h"
#include "parsers/hl7v2/message.h"
#include "parsers/text/diagnostic.h"
#include "parsers/text/terminal_text.h"
#include "rules/facts/facts.h"

namespace cannula::cli {
namespace {

using nlohmann::ordered_json;
using State = rules::Finding::State;

std::string dump(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json as_json(const std::vector<Diagnostic>& findings) {
  ordered_json list = ordered_json::array();
  for (const Diagnostic& finding : findings) list.push_back(finding_json(finding));
  return list;
}

// -- check ----------------------------------------------------------------------------------------
int check(const std::vector<std::string>& named, const Context& context) {
  const auto files = read_rule_files(named);
  if (!files) {
    print_error(context, files.error());
    return kUsage;
  }
  const std::vector<Diagnostic> findings = findings_of(*files);
  print(context.out, context.json ? dump(ordered_json{{"valid", !has_errors(findings)},
                                                      {"findings", as_json(findings)}})
                                  : render(findings));
  return has_errors(findings) ? kInvalidSite : kFine;
}

// -- test -----------------------------------------------------------------------------------------
int test(const std::vector<std::string>& named, const Context& context) {
  const auto files = read_rule_files(named);
  if (!files) {
    print_error(context, files.error());
    return kUsage;
  }
  const std::vector<Diagnostic> findings = findings_of(*files);
  if (has_errors(findings)) {
    print(context.json ? context.out : context.err,
          context.json ? dump(ordered_json{{"valid", false}, {"findings", as_json(findings)}})
                       : render(findings));
    return kInvalidSite;
  }
  std::size_t count = 0;
  std::size_t rule_count = 0;
  std::vector<Diagnostic> failures;
  ordered_json list = ordered_json::array();
  for (const RuleFile& file : *files) {
    rule_count += file.compiled.set->size();
    for (const rules::TestResult& result : file.compiled.set->run_tests()) {
      ++count;
      if (result.finding) failures.push_back(*result.finding);
      ordered_json json{{"file", file.path.string()},
                        {"rule", result.rule},
                        {"test", result.name},
                        {"passed", result.passed}};
      if (result.finding) json["finding"] = finding_json(*result.finding);
      list.push_back(std::move(json));
    }
  }
  const auto counted = [](std::size_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
  };
  const std::string summary =
      failures.empty()
          ? fmt::format("{} of {} passed\n", counted(count, "test"), counted(rule_count, "rule"))
          : fmt::format("{} of {} failed\n", failures.size(), counted(count, "test"));
  print(context.out, context.json
                         ? dump(ordered_json{{"passed", failures.empty()}, {"tests", list}})
                         : render(failures) + summary);
  return failures.empty() ? kFine : kFailed;
}

// -- explain --------------------------------------------------------------------------------------
struct ExplainOptions {
  std::vector<std::string> named;  // rules, files, sites
  std::string message;
  std::string zone;
};

bool names_files(const std::string& text) {
  return text.ends_with(".rules") || text.find('/') != std::string::npos ||
         std::filesystem::is_directory(text);
}

std::string in_words(const rules::Finding& finding) {
  std::string text;
  switch (finding.state) {
    case State::fired:
      text = fmt::format("fired: {} on {}, {}: {}\n", finding.rule, finding.place,
                         rules::name_of(finding.urgency), finding.text);
      if (!finding.route.empty()) text += fmt::format("  to {}\n", finding.route);
      break;
    case State::not_fired:
      text = fmt::format("not fired: {} on {}\n", finding.rule, finding.place);
      break;
    case State::could_not_tell:
      text = fmt::format("could not tell: {} on {}{}\n", finding.rule, finding.place,
                         finding.hold ? ", hold for review" : "");
      break;
  }
  for (const std::string& line : finding.because) text += fmt::format("    {}\n", line);
  return text;
}

// The rules that were asked for, each with its set; an error (U121) for a name that is none.
using Asked = std::vector<std::pair<const rules::RuleSet*, std::string>>;
Result<Asked> asked_for(const std::vector<RuleFile>& files, const std::vector<std::string>& names) {
  Asked asked;
  std::vector<std::string> all;
  for (const RuleFile& file : files) {
    for (std::string& name : file.compiled.set->rule_names()) {
      const bool wanted =
          names.empty() || std::find(names.begin(), names.end(), name) != names.end();
      if (wanted) asked.emplace_back(file.compiled.set.get(), name);
      all.push_back(std::move(name));
    }
  }
  for (const std::string& name : names) {
    if (std::find(all.begin(), all.end(), name) != all.end()) continue;
    const std::vector<std::string_view> candidates(all.begin(), all.end());
    const auto near = nearest(name, candidates);
    return Error{"U121", fmt::format("there is no rule `{}`", name),
                 near ? fmt::format("did you mean `{}`?", *near)
                      : "name a rule of the site in this folder, or a rule file"};
  }
  return asked;
}

int explain_rules(const Asked& asked, const Context& context) {
  ordered_json list = ordered_json::array();
  std::string text;
  for (const auto& [set, name] : asked) {
    const std::string explanation = set->explain(name).value_or("");
    list.push_back({{"set", set->name()}, {"rule", name}, {"text", explanation}});
    if (!text.empty()) text += "\n";
    text += explanation;
  }
  print(context.out, context.json ? dump(list) : text);
  return kFine;
}

Result<facts::Case> facts_in(const std::string& path, const std::string& zone) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return Error{"U106", fmt::format("{} cannot be read", path)};
  const hl7v2::Message message = TRY(hl7v2::Message::parse(make_bytes(std::move(bytes))));
  return facts::from_hl7v2(message, zone);
}

bool is_local(const facts::Observation& observation) {
  return std::none_of(observation.codes.begin(), observation.codes.end(),
                      [](const facts::Code& code) { return code.system == "loinc"; });
}

// What the message has, for those who wonder why a rule does not look at it: most often its codes
// are the sender's own, and a script translates them before rules see them.
std::string not_looked_at(const facts::Case& facts, std::size_t all, std::size_t silent) {
  constexpr std::size_t kMost = 20;
  if (facts.observations.empty()) return "the message has no results that a rule could look at\n";
  const bool local = std::any_of(facts.observations.begin(), facts.observations.end(), is_local);
  if (silent == 0 || (silent < all && !local)) return {};
  std::vector<std::string> codes;
  for (const facts::Observation& observation : facts.observations) {
    std::vector<std::string> names;
    for (const facts::Code& code : observation.codes) {
      names.push_back((code.code.empty() ? code.text : code.code) +
                      (code.system.empty() ? "" : fmt::format(" ({})", code.system)));
    }
    std::string name = names.empty() ? "no code" : fmt::format("{}", fmt::join(names, " or "));
    if (std::find(codes.begin(), codes.end(), name) == codes.end())
      codes.push_back(std::move(name));
  }
  const std::size_t left = codes.size() - std::min(codes.size(), kMost);
  codes.resize(codes.size() - left);
  return fmt::format(
      "{} at a result of the message, which has: {}{}\n"
      "      = hint: where the channel's script translates local codes, `cannula try CHANNEL FILE` "
      "judges what comes of that\n",
      silent == all ? "none of these rules looks"
                    : fmt::format("{} of these {} rules do not look", silent, all),
      visible(fmt::format("{}", fmt::join(codes, ", "))),
      left == 0 ? "" : fmt::format(" and {} more", left));
}

int explain_message(const Asked& asked, const facts::Case& facts, const Context& context) {
  const std::int64_t now = std::chrono::duration_cast<std::chrono::microseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  std::string text;
  ordered_json list = ordered_json::array();
  std::set<std::string> looked;  // rules that looked at a result
  const rules::RuleSet* before = nullptr;
  for (const auto& [set, name] : asked) {
    if (set == before) continue;
    before = set;
    rules::Verdict verdict = set->evaluate(facts, now);
    std::erase_if(verdict.findings, [&, current = set](const rules::Finding& finding) {
      return std::none_of(asked.begin(), asked.end(), [&](const auto& each) {
        return each.first == current && each.second == finding.rule;
      });
    });
    for (const rules::Finding& finding : verdict.findings) {
      text += in_words(finding);
      looked.insert(finding.rule);
    }
    list.push_back(ordered_json::parse(verdict.trace_json()));
  }
  const auto silent = std::count_if(
      asked.begin(), asked.end(), [&](const auto& each) { return !looked.contains(each.second); });
  text += not_looked_at(facts, asked.size(), static_cast<std::size_t>(silent));
  print(context.out, context.json ? dump(list) : text);
  return kFine;
}

int explain(const ExplainOptions& options, const Context& context) {
  std::vector<std::string> paths;
  std::vector<std::string> names;
  for (const std::string& each : options.named) {
    (names_files(each) ? paths : names).push_back(each);
  }
  const auto files = read_rule_files(paths);
  if (!files) {
    print_error(context, files.error());
    return kUsage;
  }
  const std::vector<Diagnostic> findings = findings_of(*files);
  if (has_errors(findings)) {
    print(context.err, render(findings));
    return kInvalidSite;
  }
  const auto asked = asked_for(*files, names);
  if (!asked) {
    print_error(context, asked.error());
    return kUsage;
  }
  if (options.message.empty()) return explain_rules(*asked, context);
  const auto facts = facts_in(options.message, options.zone);
  if (!facts) {
    print_error(context, facts.error());
    return kFailed;
  }
  return explain_message(*asked, *facts, context);
}

}  // namespace

Verb rules_check_verb() {
  auto named = std::make_shared<std::vector<std::string>>();
  return {.name = "rules check",
          .summary =
              "Check rule files: words, terms, units, dates, conditions that never hold. "
              "Silent when all is well.",
          .example = "cannula rules check rules/critical-labs.rules",
          .declare =
              [named](Arguments& arguments) {
                arguments.positionals("FILE", *named,
                                      "Rule files, or a site's folder; none: the site here.");
              },
          .run = [named](const Context& context) { return check(*named, context); }};
}

Verb rules_test_verb() {
  auto named = std::make_shared<std::vector<std::string>>();
  return {.name = "rules test",
          .summary = "Run the tests that stand beside the rules; each failure with why.",
          .example = "cannula rules test my-site",
          .declare =
              [named](Arguments& arguments) {
                arguments.positionals("FILE", *named,
                                      "Rule files, or a site's folder; none: the site here.");
              },
          .run = [named](const Context& context) { return test(*named, context); }};
}

Verb rules_explain_verb() {
  auto options = std::make_shared<ExplainOptions>();
  return {.name = "rules explain",
          .summary = "Say in sentences what rules do, or what they make of a message and why.",
          .example =
              "cannula rules explain critical-potassium\n"
              "cannula rules explain rules/critical-labs.rules --message result.hl7",
          .declare =
              [options](Arguments& arguments) {
                arguments.positionals("RULE", options->named,
                                      "Names of rules, of the site here or of the rule files or "
                                      "the site's folder named beside them; files alone: all "
                                      "their rules.");
                arguments.text("--message", "FILE", options->message,
                               "An HL7 v2 message to judge: fired, not fired or could not tell, "
                               "step by step.");
                arguments.text("--timezone", "ZONE", options->zone,
                               "The zone of times without an offset in the message, as the "
                               "channel's timezone.");
              },
          .run = [options](const Context& context) { return explain(*options, context); }};
}

}  // namespace cannula::cli
