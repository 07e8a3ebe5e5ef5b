#include "rules/language/dispatch.h"

#include <algorithm>

namespace cannula::rules {
namespace {

constexpr char kInSystem = '\x1f';
constexpr char kText = '\x1e';

void key_of_code(std::string& key, std::string_view system, std::string_view code) {
  key.clear();
  for (char c : system) key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  key += kInSystem;
  key += code;
}

void key_of_text(std::string& key, std::string_view text) {
  key.assign(1, kText);
  for (char c : text) key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void sort_and_unite(auto& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

bool equal_but_for_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && small_letters(a) == small_letters(b);
}

}  // namespace

Dispatch::Dispatch(const Program& program) : rules_by_term_(program.terms.size()) {
  std::string key;
  for (TermIndex index = 0; index < program.terms.size(); ++index) {
    for (const CodePattern& pattern : program.terms[index].codes) {
      if (pattern.kind == CodePattern::Kind::text) {
        key_of_text(key, pattern.code);
        has_texts_ = true;
      } else {
        key_of_code(key, pattern.system, pattern.code);
      }
      terms_by_key_[key].push_back(index);
    }
  }
  for (std::uint32_t number = 0; number < program.rules.size(); ++number) {
    const Rule& rule = program.rules[number];
    if (rule.any_result) rules_for_any_.push_back(number);
    for (const TermIndex term : rule.on) rules_by_term_[term].push_back(number);
  }
}

void Dispatch::add_terms(const std::string& key, std::vector<TermIndex>& into) const {
  const auto found = terms_by_key_.find(key);
  if (found == terms_by_key_.end()) return;
  into.insert(into.end(), found->second.begin(), found->second.end());
}

std::vector<TermIndex> Dispatch::terms_of(const facts::Observation& observation) const {
  std::vector<TermIndex> terms;
  std::string key;
  for (const facts::Code& code : observation.codes) {
    if (!code.code.empty()) {
      key_of_code(key, code.system, code.code);
      add_terms(key, terms);
      if (!code.system.empty()) {
        key_of_code(key, "", code.code);
        add_terms(key, terms);
      }
    }
    if (has_texts_ && !code.text.empty()) {
      key_of_text(key, code.text);
      add_terms(key, terms);
    }
  }
  sort_and_unite(terms);
  return terms;
}

std::vector<std::uint32_t> Dispatch::rules_for(const std::vector<TermIndex>& terms) const {
  std::vector<std::uint32_t> rules = rules_for_any_;
  for (const TermIndex term : terms) {
    rules.insert(rules.end(), rules_by_term_[term].begin(), rules_by_term_[term].end());
  }
  sort_and_unite(rules);
  return rules;
}

bool is_of(const facts::Code& code, const Term& term) {
  for (const CodePattern& pattern : term.codes) {
    if (pattern.kind == CodePattern::Kind::text) {
      if (equal_but_for_case(code.text, pattern.code) ||
          equal_but_for_case(code.code, pattern.code))
        return true;
    } else if (pattern.code == code.code &&
               (pattern.system.empty() || equal_but_for_case(pattern.system, code.system))) {
      return true;
    }
  }
  return false;
}

}  // namespace cannula::rules
