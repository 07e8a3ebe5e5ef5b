// Which terms a result is of, and which rules look at it: by code, so that the rules which cannot
// fire cost nothing.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "rules/language/program.h"

namespace cannula::rules {

class Dispatch {
 public:
  explicit Dispatch(const Program& program);

  // Sorted, each once.
  std::vector<TermIndex> terms_of(const facts::Observation& observation) const;
  // Indices into Program::rules of what looks at a result of these terms, in order of the file.
  std::vector<std::uint32_t> rules_for(const std::vector<TermIndex>& terms) const;

 private:
  void add_terms(const std::string& key, std::vector<TermIndex>& into) const;

  std::unordered_map<std::string, std::vector<TermIndex>> terms_by_key_;
  std::vector<std::vector<std::uint32_t>> rules_by_term_;
  std::vector<std::uint32_t> rules_for_any_;
  bool has_texts_ = false;
};

// Whether a code is one of the term's.
bool is_of(const facts::Code& code, const Term& term);

}  // namespace cannula::rules
