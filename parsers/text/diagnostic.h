// What is wrong, where, why, and what to do next. Every finding of Cannula is printed by the one
// renderer below, in the form compilers use, so that editors can jump to it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parsers/text/span.h"

namespace cannula {

// error: the data or the file is wrong. warning: it can be used, but probably does not mean what
// its author wants. note: belongs to the finding before it. A failure of Cannula itself is an Error
// (result.h), not a Diagnostic.
enum class Severity { error, warning, note };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string code;     // stable, such as "C103"; has a page in docs/reference/errors.md
  std::string message;  // what was found and what was expected, one line
  std::shared_ptr<const Source> source;  // null when the finding has no text to point into
  std::optional<Span> span;
  std::string hint;  // what to do next; empty when the message says it
  std::string path;  // exact place in a message (`PID-3[2].1`); empty elsewhere
};

std::string_view name_of(Severity severity);

// "file:line:col: error[C103]: message", the line, a caret, "hint: …". Tabs and control characters
// of the line are shown as spaces so that the caret stands right; a long line is cut around the
// caret. Ends with a newline.
std::string render(const Diagnostic& finding);
std::string render(std::span<const Diagnostic> findings);

bool has_errors(std::span<const Diagnostic> findings);

// The candidate nearest to `name` (Damerau-Levenshtein, at most a third of its length away), for
// "did you mean …?".
std::optional<std::string> nearest(std::string_view name,
                                   std::span<const std::string_view> candidates);

}  // namespace cannula
