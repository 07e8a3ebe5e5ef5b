#include "rules/language/checker.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "rules/facts/quantity_text.h"
#include "rules/language/conditions.h"
#include "rules/language/findings.h"
#include "rules/language/template_text.h"
#include "rules/language/terms.h"
#include "rules/language/test_facts.h"
#include "rules/language/wording.h"

namespace cannula::rules {
namespace {

std::optional<std::chrono::sys_days> day_of(const Node& date, Findings& findings) {
  int parts[3]{};
  const std::string& text = date.text;
  std::from_chars(text.data(), text.data() + 4, parts[0]);
  std::from_chars(text.data() + 5, text.data() + 7, parts[1]);
  std::from_chars(text.data() + 8, text.data() + 10, parts[2]);
  const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (day.ok() && parts[0] > 0) return std::chrono::sys_days(day);
  findings.error("R214", date.span, fmt::format("there is no day {}", text),
                 "dates are written year, month, day: 2026-01-31");
  return std::nullopt;
}

// A number without fraction, for versions and durations.
std::optional<std::uint32_t> whole_number(const Node& number, Findings& findings,
                                          std::string_view what) {
  std::uint32_t value = 0;
  const char* const end = number.text.data() + number.text.size();
  const auto read = std::from_chars(number.text.data(), end, value);
  if (read.ec == std::errc{} && read.ptr == end && value > 0 && value <= 1'000'000) return value;
  findings.error("R221", number.span, fmt::format("{} is a whole number from 1 on", what));
  return std::nullopt;
}

std::optional<std::chrono::minutes> duration_of(const Node& number, const Node& unit,
                                                Findings& findings) {
  const auto count = whole_number(number, findings, "a duration");
  if (!count) return std::nullopt;
  const int minutes = unit.text.starts_with("minute") ? 1
                      : unit.text.starts_with("hour") ? 60
                                                      : 24 * 60;
  return std::chrono::minutes(std::int64_t{*count} * minutes);
}

std::optional<Lack> lack_of(std::string_view word) {
  for (std::size_t i = 0; i < kLacks; ++i) {
    if (name_of(static_cast<Lack>(i)) == word) return static_cast<Lack>(i);
  }
  return std::nullopt;  // anything
}

Urgency urgency_of(std::string_view word) {
  return word == "critical"  ? Urgency::critical
         : word == "warning" ? Urgency::warning
                             : Urgency::info;
}

class RuleChecker {
 public:
  RuleChecker(const Node& node, Findings& findings, Terms& terms)
      : node_(node), findings_(findings), terms_(terms) {}

  Rule check() {
    header();
    find_repeated_clauses();
    rule_.answers.fill(Answer::hold);
    if (const Node* on = required(Kind::on, "on", "on result potassium")) read_on(*on);
    if (const Node* then = required(Kind::then, "then", "then critical \"Potassium {value}\""))
      read_then(*then);
    // All of `anything` first, so that what is said of one thing goes before it.
    for (const bool anything : {true, false}) {
      for (const Node& clause : node_.children) {
        if (clause.kind == Kind::missing) read_missing(clause, anything);
      }
    }
    for (const Node& clause : node_.children) read_clause(clause);
    if (rule_.source.empty()) {
      findings_.warning("R216", rule_.span,
                        fmt::format("{} does not say where it comes from", rule_.name),
                        "add source \"\u2026\": the publication or the decision behind it");
    }
    if (node_.find(Kind::test) == nullptr) {
      findings_.note("R217", rule_.span, fmt::format("{} has no test", rule_.name),
                     "add test \"\u2026\" given \u2026 expect \u2026, one that fires and one that "
                     "does not");
    }
    return std::move(rule_);
  }

 private:
  void header() {
    const Node& name = node_.children[0];
    rule_.name = name.text;
    rule_.span = name.span;
    rule_.line = findings_.line_of(name.span);
    rule_.version = whole_number(node_.children[1], findings_, "a version").value_or(0);
    if (const auto day = day_of(node_.children[2], findings_)) rule_.effective = *day;
    const Node* until = node_.find(Kind::until);
    if (until == nullptr) return;
    rule_.until = day_of(until->children.front(), findings_);
    if (rule_.until && *rule_.until < rule_.effective) {
      findings_.error("R214", until->span, "the last day is before the first",
                      "a rule is in effect from its `effective` day to its `until` day");
    }
  }

  void find_repeated_clauses() {
    static constexpr std::pair<Kind, std::string_view> kOnce[] = {
        {Kind::source, "source"}, {Kind::owner, "owner"},
        {Kind::on, "on"},         {Kind::when, "when"},
        {Kind::unless, "unless"}, {Kind::then, "then"},
        {Kind::route, "route"},   {Kind::acknowledge, "acknowledge"},
        {Kind::repeat, "repeat"}};
    for (const auto& [kind, word] : kOnce) {
      const Node* first = nullptr;
      for (const Node& clause : node_.children) {
        if (clause.kind != kind) continue;
        if (first != nullptr) {
          findings_.error("R206", clause.span, fmt::format("a second `{}` in {}", word, rule_.name),
                          fmt::format("the first stands on line {}; a rule has one",
                                      findings_.line_of(first->span)));
        } else {
          first = &clause;
        }
      }
    }
  }

  const Node* required(Kind kind, std::string_view word, std::string_view example) {
    const Node* found = node_.find(kind);
    if (found == nullptr) {
      findings_.error("R206", rule_.span, fmt::format("{} has no `{}`", rule_.name, word),
                      fmt::format("add it, as in: {}", example));
    }
    return found;
  }

  void read_on(const Node& clause) {
    rule_.any_result = clause.children.empty();
    for (const Node& name : clause.children) {
      if (const auto term = terms_.resolve(name)) rule_.on.push_back(*term);
    }
  }

  void read_then(const Node& clause) {
    rule_.urgency = urgency_of(clause.children[0].text);
    rule_.written_text = clause.children[1].text;
    rule_.text = read_template(clause.children[1], findings_, terms_);
  }

  void read_missing(const Node& clause, bool anything) {
    const std::string& answer = clause.children[1].text;
    const Answer meant = answer == "hold"   ? Answer::hold
                         : answer == "fire" ? Answer::fire
                                            : Answer::ignore;
    const auto lack = lack_of(clause.children[0].text);
    if (anything != !lack) return;
    for (std::size_t i = 0; i < kLacks; ++i) {
      if (lack && static_cast<std::size_t>(*lack) != i) continue;
      rule_.answers[i] = meant;
      rule_.answered[i] = true;
    }
  }

  void read_clause(const Node& clause) {
    switch (clause.kind) {
      case Kind::source:
        rule_.source = clause.children.front().text;
        break;
      case Kind::owner:
        rule_.owner = clause.children.front().text;
        break;
      case Kind::when:
        rule_.when = ConditionReader(findings_, terms_, rule_.on).read(clause.children.front());
        break;
      case Kind::unless:
        rule_.unless = ConditionReader(findings_, terms_, rule_.on).read(clause.children.front());
        break;
      case Kind::route:
        rule_.route = clause.children.front().text;
        break;
      case Kind::acknowledge:
        rule_.acknowledge_within = duration_of(clause.children[0], clause.children[1], findings_)
                                       .value_or(std::chrono::minutes(0));
        break;
      case Kind::repeat:
        findings_.error("R250", clause.span,
                        "`repeat not within` needs the history of the patient's results, which "
                        "this version does not keep",
                        "take the clause out; the rule then fires each time");
        break;
      case Kind::test:
        if (auto test = read_test(clause, findings_, terms_)) {
          rule_.tests.push_back(std::move(*test));
        }
        break;
      default:
        break;
    }
  }

  const Node& node_;
  Findings& findings_;
  Terms& terms_;
  Rule rule_;
};

bool overlap(const Rule& a, const Rule& b) {
  return (!a.until || b.effective <= *a.until) && (!b.until || a.effective <= *b.until);
}

// One name may stand for several rules, each for its own time.
void find_overlapping_names(const std::vector<Rule>& rules, Findings& findings) {
  std::map<std::string_view, std::vector<const Rule*>> by_name;
  for (const Rule& rule : rules) {
    auto& same = by_name[rule.name];
    for (const Rule* other : same) {
      if (!overlap(*other, rule)) continue;
      findings.error(
          "R211", rule.span,
          fmt::format("there are two rules {} in effect on the same days: version {} on line {}, "
                      "and version {} here",
                      rule.name, other->version, other->line, rule.version),
          fmt::format("end the older with `until {}`, or give one of them another name",
                      in_words(rule.effective - std::chrono::days(1))));
      break;
    }
    same.push_back(&rule);
  }
}

}  // namespace

std::string_view name_of(Lack lack) {
  static constexpr std::string_view kNames[] = {"value",  "unit",  "age",   "sex",
                                                "status", "range", "result"};
  return kNames[static_cast<std::size_t>(lack)];
}

Program check(std::string name, const std::shared_ptr<const Source>& source, const Syntax& syntax,
              std::vector<Diagnostic>& into) {
  Findings findings(source, into);
  Terms terms(findings, syntax);
  Program program;
  program.name = std::move(name);
  program.source = source;
  for (const Node& item : syntax.items) {
    if (item.kind != Kind::rule) continue;
    program.rules.push_back(RuleChecker(item, findings, terms).check());
  }
  find_overlapping_names(program.rules, findings);
  // A rule that could not be read may be the one that uses a term.
  if (syntax.findings.empty()) terms.warn_of_unused();
  program.terms = terms.take();
  return program;
}

}  // namespace cannula::rules
