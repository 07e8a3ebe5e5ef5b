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
    bool templates = false;  // {{n}} and {n} anywhere become n, {{time}} the time of sending
  };

  // "-" is the standard input. Each file holds one or several messages, as segments ended by CR, LF
  // or CRLF; all of them are sent with CR (2.4.2). The error (U106) names the file.
  static Result<MessageSource> read(const std::vector<std::string>& files, Variation variation);
  static Result<MessageSource> of(std::string_view name, std::string_view text,
                                  Variation variation);

  std::size_t size() const { return messages_.size(); }
  // The n-th message, counted from 1 and going around, appended in its MLLP frame. `time` is in
  // microseconds since 1970-01-01 UTC.
  void append_frame(std::string& out, std::int64_t n, std::int64_t time) const;
  std::string control_id(std::int64_t n, std::int64_t time) const;
  // False where MSH-15 and MSH-16 want no acknowledgement whatever becomes of it (NE).
  bool wants_answer(std::int64_t n) const { return of_number(n).wants_answer; }

 private:
  // A text with places where something is put in: behind every piece but the last.
  enum class Place { number, time };
  struct Pieces {
    std::vector<std::string> texts;
    std::vector<Place> places{};
  };
  struct Message {
    Pieces text;
    Pieces control_id;
    bool wants_answer = true;
  };
  const Message& of_number(std::int64_t n) const {
    return messages_[static_cast<std::size_t>(n - 1) % messages_.size()];
  }
  static Pieces split_at_places(std::string_view text);
  static void append(std::string& out, const Pieces& pieces, std::int64_t n, std::int64_t time);
  Result<void> add(std::string_view name, std::string_view text, Variation variation);

  std::vector<Message> messages_;
};

}  // namespace cannula::cli
