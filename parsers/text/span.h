// A place in a text, and the text it is a place in.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cannula {

// Bytes that several parts of a message's way hold at once: written once, then never changed.
using Bytes = std::shared_ptr<const std::string>;

inline Bytes make_bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

// A half-open range of bytes, counted from the start of its Source.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
  friend bool operator==(const Span&, const Span&) = default;
};

// Line and column as editors count them: from 1, the column in bytes.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
  friend bool operator==(const Position&, const Position&) = default;
};

// A text with a name: a configuration file, a script, a rule file, a received message. Immutable
// after construction and therefore free to share between threads. CR, LF and CRLF each end a line,
// so an HL7 message counts segments.
class Source {
 public:
  Source(std::string name, std::string text);

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }

  Position position(std::size_t offset) const;
  std::size_t line_count() const { return line_starts_.size(); }
  // The line's text without its terminator; `line` counts from 1. Empty when there is no such line.
  std::string_view line(std::size_t line) const;
  // The span of `column` (from 1) of `line` (from 1), of `length` bytes; clamped into the text.
  Span span_at(std::size_t line, std::size_t column, std::size_t length = 1) const;

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
};

}  // namespace cannula
