// The words of a line of a profile or a segments file. Internal to the room.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/diagnostic.h"

namespace cannula::hl7v2 {

struct Word {
  std::string text;  // without its quotes
  Span span;         // in the file, with them
  bool quoted = false;
  bool is_comma = false;
};

// Goes through the words of a line and says what it expected where it finds something else.
class Words {
 public:
  // `#` at the beginning of a word begins a comment.
  Words(std::shared_ptr<const Source> source, std::size_t line, std::vector<Diagnostic>& findings);

  bool done() const { return at_ == words_.size(); }
  const Word& next() const { return words_[at_]; }  // not when done()
  Word take() { return words_[at_++]; }
  bool take(std::string_view word);  // unquoted, as it stands; false when something else comes
  bool take_comma();
  // Reports H731 at the next word, or at the end of the line; gives false.
  bool expected(std::string_view what);
  void report(Severity severity, std::string_view code, Span span, std::string message,
              std::string hint = {});
  // A whole number of at most seven digits.
  bool number(std::uint32_t& value, std::string_view what);

 private:
  std::shared_ptr<const Source> source_;
  std::vector<Diagnostic>& findings_;
  std::vector<Word> words_;
  std::size_t at_ = 0;
  Span end_;
};

}  // namespace cannula::hl7v2
