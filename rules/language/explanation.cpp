#include "rules/language/explanation.h"

#include <fmt/format.h>

#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

std::string code_in_words(const CodePattern& pattern) {
  if (pattern.kind == CodePattern::Kind::text) return fmt::format("the text \"{}\"", pattern.code);
  return pattern.system.empty() ? fmt::format("the code {}", pattern.code)
                                : fmt::format("{} {}", pattern.system, pattern.code);
}

std::string term_in_words(const Term& term) {
  std::vector<std::string> codes;
  for (const CodePattern& code : term.codes) codes.push_back(code_in_words(code));
  return fmt::format("{} ({})", term.name, joined(codes, "or"));
}

std::string looks_at(const Rule& rule, const std::vector<Term>& terms) {
  if (rule.any_result) return "every result";
  std::vector<std::string> names;
  for (const TermIndex term : rule.on) names.push_back(term_in_words(terms[term]));
  return "each result of " + joined(names, "or");
}

std::string when_it_fires(const Rule& rule, const std::vector<Term>& terms) {
  std::string text = rule.when ? "It fires when " + in_words(*rule.when, terms)
                               : std::string("It fires on each of them");
  if (rule.unless) text += ", unless " + in_words(*rule.unless, terms);
  return text + ".\n";
}

std::string what_is_missing(const Rule& rule) {
  static constexpr std::string_view kAnswers[] = {"nothing is done", "it fires",
                                                  "the message is held for review"};
  std::string text;
  for (const Answer answer : {Answer::hold, Answer::fire, Answer::ignore}) {
    std::vector<std::string> lacks;
    for (std::size_t lack = 0; lack < kLacks; ++lack) {
      if (rule.answered[lack] && rule.answers[lack] == answer)
        lacks.emplace_back(name_of(static_cast<Lack>(lack)));
    }
    if (lacks.empty()) continue;
    text += fmt::format("When it cannot tell because {} {} missing, {}.\n", joined(lacks, "or"),
                        "is", kAnswers[static_cast<std::size_t>(answer)]);
  }
  const bool all =
      std::all_of(rule.answered.begin(), rule.answered.end(), [](bool b) { return b; });
  if (!all) {
    text += fmt::format(
        "When it cannot tell because {} is missing, the message is held for "
        "review.\n",
        text.empty() ? "something" : "anything else");
  }
  return text;
}

std::string one(const Rule& rule, const std::vector<Term>& terms) {
  std::string text = fmt::format("{}, version {}, in effect from {}", rule.name, rule.version,
                                 in_words(rule.effective));
  if (rule.until) text += fmt::format(" to {}", in_words(*rule.until));
  text += fmt::format(".\nIt looks at {}.\n", looks_at(rule, terms));
  text += when_it_fires(rule, terms);
  text += fmt::format("Then it says \"{}\", which is {}", rule.written_text, name_of(rule.urgency));
  if (!rule.route.empty()) text += fmt::format(", goes to {}", rule.route);
  if (rule.acknowledge_within.count() > 0) {
    text += fmt::format(", and is to be acknowledged within {}", in_words(rule.acknowledge_within));
  }
  text += ".\n" + what_is_missing(rule);
  if (!rule.source.empty()) text += fmt::format("Source: {}\n", rule.source);
  if (!rule.owner.empty()) text += fmt::format("Owner: {}\n", rule.owner);
  return text;
}

}  // namespace

std::string saying(const Program& program, const Rule& rule) {
  return one(rule, program.terms);
}

std::optional<std::string> explain(const Program& program, std::string_view rule) {
  std::string text;
  for (const Rule& each : program.rules) {
    if (each.name != rule) continue;
    if (!text.empty()) text += "\n";
    text += one(each, program.terms);
    text += fmt::format("Tests: {}\n", each.tests.size());
  }
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace cannula::rules
