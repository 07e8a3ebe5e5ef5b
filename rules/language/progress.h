// How far the grammar came, and what it would have taken there: the stuff of which the sentence
// about a mistake is made.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "rules/language/lexer.h"

namespace cannula::rules {

struct Progress {
  struct Expected {
    std::string_view what;  // "a number", or the word itself
    bool word = false;
    bool clause = false;  // begins a clause
  };
  static constexpr int kDeepest = 40;

  Place farthest = nullptr;
  std::vector<Expected> expected;  // at `farthest`
  int depth = 0;                   // of open parentheses
  bool too_deep = false;

  void missed(Place at, const Expected& wanted) {
    if (farthest == nullptr || at > farthest) {
      farthest = at;
      expected.clear();
    }
    if (at == farthest) expected.push_back(wanted);
  }
};

// The mistake at progress.farthest, with place, sentence and hint.
Diagnostic describe_mistake(const Progress& progress, const std::shared_ptr<const Source>& source);

}  // namespace cannula::rules
