#include "parsers/hl7v2/validation/words.h"

#include <charconv>

#include <fmt/format.h>

namespace cannula::hl7v2 {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

Words::Words(std::shared_ptr<const Source> source, std::size_t line,
             std::vector<Diagnostic>& findings)
    : source_(std::move(source)), findings_(findings) {
  const std::string_view text = source_->line(line);
  const std::size_t start = source_->span_at(line, 1, 0).begin;
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
      continue;
    }
    if (text[at] == '#') break;
    Word word;
    const std::size_t begin = at;
    if (text[at] == '"') {
      word.quoted = true;
      const std::size_t close = text.find('"', at + 1);
      const std::size_t end = close == std::string_view::npos ? text.size() : close;
      word.text = text.substr(at + 1, end - at - 1);
      at = close == std::string_view::npos ? end : end + 1;
      word.span = {start + begin, start + at};
      if (close == std::string_view::npos) {
        report(Severity::error, "H731", word.span, "the quotes are not closed");
      }
    } else if (text[at] == ',') {
      word.is_comma = true;
      word.text = text[at++];
      word.span = {start + begin, start + at};
    } else {
      while (at < text.size() && !is_blank(text[at]) && text[at] != ',') ++at;
      word.text = text.substr(begin, at - begin);
      word.span = {start + begin, start + at};
    }
    words_.push_back(std::move(word));
  }
  const std::size_t last = words_.empty() ? start : words_.back().span.end;
  end_ = {last, last};
}

bool Words::take(std::string_view word) {
  if (done() || next().quoted || next().text != word) return false;
  ++at_;
  return true;
}

bool Words::take_comma() {
  if (done() || !next().is_comma) return false;
  ++at_;
  return true;
}

bool Words::expected(std::string_view what) {
  if (done()) {
    report(Severity::error, "H731", end_, fmt::format("the line ends where {} is expected", what));
  } else {
    report(Severity::error, "H731", next().span,
           fmt::format("`{}` stands where {} is expected", next().text, what));
  }
  return false;
}

void Words::report(Severity severity, std::string_view code, Span span, std::string message,
                   std::string hint) {
  findings_.push_back(
      {severity, std::string(code), std::move(message), source_, span, std::move(hint), {}});
}

bool Words::number(std::uint32_t& value, std::string_view what) {
  if (done() || next().quoted || next().text.size() > 7) return expected(what);
  const std::string& text = next().text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return expected(what);
  ++at_;
  return true;
}

}  // namespace cannula::hl7v2
