// The findings of one table while it is read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parsers/text/diagnostic.h"

namespace cannula::tables {

class Findings {
 public:
  static constexpr std::size_t kMost = 100;  // of a table; what is beyond is counted

  explicit Findings(std::shared_ptr<const Source> source) : source_(std::move(source)) {}

  void error(std::string code, Span where, std::string message, std::string hint = {}) {
    add({Severity::error,
         std::move(code),
         std::move(message),
         source_,
         where,
         std::move(hint),
         {}});
  }
  void warning(std::string code, Span where, std::string message, std::string hint = {}) {
    add({Severity::warning,
         std::move(code),
         std::move(message),
         source_,
         where,
         std::move(hint),
         {}});
  }
  void add(Diagnostic finding);
  bool has_errors() const { return errors_ > 0; }
  // In order of their place, with a note (R119) when there were more than kMost; errors are kept
  // before others.
  std::vector<Diagnostic> take();

 private:
  std::shared_ptr<const Source> source_;
  std::vector<Diagnostic> kept_;
  std::size_t errors_ = 0;
  std::size_t dropped_ = 0;
};

// The text in back quotes, cut to what fits a message, control characters shown as blanks.
std::string in_quotes(std::string_view text);

}  // namespace cannula::tables
