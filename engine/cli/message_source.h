// The messages that `cannula send` sends: those of its files, over and over, with a number put in
// where it is asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::cli {

class MessageSource {
 public:
  struct Variation {
    bool unique = false;     // MSH-10 becomes "ID-n"
    bool templates = false;  // {n} anywhere becomes n
  };

  // "-" is the standard input. Each file holds one or several messages, as segments ended by CR, LF
  // or CRLF; all of them are sent with CR (2.4.2). The error (U106) names the file.
  static Result<MessageSource> read(const std::vector<std::string>& files, Variation variation);
  static Result<MessageSource> of(std::string_view name, std::string_view text,
                                  Variation variation);

  std::size_t size() const { return messages_.size(); }
  // The n-th message, counted from 1 and going around, appended in its MLLP frame.
  void append_frame(std::string& out, std::int64_t n) const;
  std::string control_id(std::int64_t n) const;

 private:
  // A text with places where n stands: before every piece but the first.
  using Pieces = std::vector<std::string>;
  struct Message {
    Pieces text;
    Pieces control_id;
  };
  static void append(std::string& out, const Pieces& pieces, std::int64_t n);
  Result<void> add(std::string_view name, std::string_view text, Variation variation);

  std::vector<Message> messages_;
};

}  // namespace cannula::cli
