#include "parsers/text/diagnostic.h"

#include <fmt/format.h>

#include "parsers/text/character_set.h"
#include "parsers/text/terminal_text.h"

namespace cannula {
namespace {

constexpr std::size_t kLongestLine = 160;  // bytes of a source line shown around the caret

bool is_continuation_byte(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// As many bytes as `line` has: blanks for what a terminal would obey, `?` for what is no UTF-8.
std::string printable(std::string_view line) {
  std::string shown(line);
  for (std::size_t i = 0; i < shown.size();) {
    const auto byte = static_cast<unsigned char>(shown[i]);
    const std::size_t size = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (byte < 0x20 || byte == 0x7F) {
      shown[i++] = ' ';
    } else if (is_utf8(line.substr(i, size))) {
      i += std::min(size, line.size() - i);
    } else {
      shown[i++] = '?';
    }
  }
  return shown;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation_byte(c); }));
}

std::string excerpt(const Source& source, Span span) {
  const Position at = source.position(span.begin);
  std::string_view line = source.line(at.line);
  std::size_t column = std::min(at.column - 1, line.size());
  std::size_t length = std::max<std::size_t>(1, std::min(span.size(), line.size() - column));

  std::string before;
  if (line.size() > kLongestLine) {
    const std::size_t from = column > kLongestLine / 2 ? column - kLongestLine / 2 : 0;
    line = line.substr(from, kLongestLine);
    column -= from;
    if (from > 0) before = "…";
    length =
        std::max<std::size_t>(1, std::min(length, line.size() - std::min(column, line.size())));
  }
  const std::string shown = printable(line);
  line = shown;
  const std::size_t indent = columns_of(line.substr(0, column)) + (before.empty() ? 0 : 1);
  const std::size_t width = std::max<std::size_t>(1, columns_of(line.substr(column, length)));
  const std::string number = std::to_string(at.line);
  return fmt::format("{:>5} | {}{}\n      | {}{}{}\n", number, before, line,
                     std::string(indent, ' '), "^", std::string(width - 1, '~'));
}

}  // namespace

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
  }
  return "error";
}

std::string render(const Diagnostic& finding) {
  std::string text;
  if (finding.source) {
    text += visible(finding.source->name());
    if (finding.span) {
      const Position at = finding.source->position(finding.span->begin);
      text += fmt::format(":{}:{}", at.line, at.column);
    }
    text += ": ";
  }
  text += name_of(finding.severity);
  if (!finding.code.empty()) text += fmt::format("[{}]", finding.code);
  text += ": ";
  if (!finding.path.empty()) text += visible(finding.path) + ": ";
  text += visible(finding.message);
  text += '\n';
  if (finding.source && finding.span) text += excerpt(*finding.source, *finding.span);
  if (!finding.hint.empty()) text += fmt::format("      = hint: {}\n", visible(finding.hint));
  return text;
}

std::string render(std::span<const Diagnostic> findings) {
  std::string text;
  for (const Diagnostic& finding : findings) text += render(finding);
  return text;
}

bool has_errors(std::span<const Diagnostic> findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Diagnostic& finding) { return finding.severity == Severity::error; });
}

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_previous(b.size() + 1), previous(b.size() + 1),
      current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before_previous[j - 2] + 1);
      }
    }
    std::swap(before_previous, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view name,
                                   std::span<const std::string_view> candidates) {
  if (name.empty() || name.size() > 64) return std::nullopt;
  const std::size_t limit = std::max<std::size_t>(1, name.size() / 3);
  std::size_t best = limit + 1;
  std::optional<std::string> found;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > 64) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      found = std::string(candidate);
    }
  }
  return found;
}

}  // namespace cannula
