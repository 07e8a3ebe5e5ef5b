// Findings of one file, as the checker collects them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parsers/text/diagnostic.h"

namespace cannula::rules {

class Findings {
 public:
  Findings(std::shared_ptr<const Source> source, std::vector<Diagnostic>& into)
      : source_(std::move(source)), into_(into) {}

  void error(const char* code, Span span, std::string message, std::string hint = {}) {
    add(Severity::error, code, span, std::move(message), std::move(hint));
  }
  void warning(const char* code, Span span, std::string message, std::string hint = {}) {
    add(Severity::warning, code, span, std::move(message), std::move(hint));
  }
  void note(const char* code, Span span, std::string message, std::string hint = {}) {
    add(Severity::note, code, span, std::move(message), std::move(hint));
  }
  std::size_t line_of(Span span) const { return source_->position(span.begin).line; }

 private:
  void add(Severity severity, const char* code, Span span, std::string message, std::string hint) {
    Diagnostic made;
    made.severity = severity;
    made.code = code;
    made.message = std::move(message);
    made.source = source_;
    made.span = span;
    made.hint = std::move(hint);
    into_.push_back(std::move(made));
  }

  std::shared_ptr<const Source> source_;
  std::vector<Diagnostic>& into_;
};

}  // namespace cannula::rules
