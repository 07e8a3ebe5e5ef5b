// A log of one JSON object a line, for programs that compare what was sent with what arrived.
#pragma once

#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula::cli {

// `text` as a JSON string with its quotes, appended. Bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);

// Not thread-safe. Lines are collected and written by flush() in one system call; who must not say
// something that the log does not hold flushes first.
class JsonLines {
 public:
  JsonLines() = default;  // a log that keeps nothing
  static Result<JsonLines> create(const std::string& path);
  ~JsonLines();
  JsonLines(JsonLines&& other) noexcept;
  JsonLines& operator=(JsonLines&& other) noexcept;

  explicit operator bool() const { return fd_ >= 0; }
  // Add one object and a newline to it.
  std::string& line() { return pending_; }
  void flush();

 private:
  int fd_ = -1;
  std::string pending_;
};

}  // namespace cannula::cli
