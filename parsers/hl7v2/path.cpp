#include "parsers/hl7v2/path.h"

#include <fmt/format.h>

namespace cannula::hl7v2 {
namespace {

constexpr std::uint32_t kHighestNumber = 65535;
constexpr std::uint32_t kHighestSegment = 9999999;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
char capital(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

class PathReader {
 public:
  explicit PathReader(std::string_view text) : text_(text) {}

  Result<Path> read() {
    if (text_.empty())
      return fail("the path is empty", "write one such as PID-3.1, or 3.1 in a segment");
    if (is_letter(text_[0])) {
      TRY(read_segment());
      if (at_end()) return path_;
      if (!take_separator()) return unexpected("'-' and a field number");
    }
    path_.field = TRY(read_number("field", kHighestNumber));
    if (peek() == '[') {
      path_.repetition = TRY(read_index("repetition", kHighestNumber));
    }
    if (at_end()) return path_;
    if (!take_separator()) return unexpected("'.' and a component number");
    path_.component = TRY(read_number("component", kHighestNumber));
    if (peek() == '[') {
      return fail("a component does not repeat",
                  "write the repetition behind the field: PID-3[2].1");
    }
    if (at_end()) return path_;
    if (!take_separator()) return unexpected("'.' and a subcomponent number");
    path_.subcomponent = TRY(read_number("subcomponent", kHighestNumber));
    if (!at_end()) return unexpected("the end of the path behind the subcomponent");
    return path_;
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool take_separator() {
    if (peek() != '-' && peek() != '.') return false;
    ++at_;
    return true;
  }

  Result<void> read_segment() {
    std::size_t length = 0;
    while (length < text_.size() && (is_letter(text_[length]) || is_digit(text_[length]))) ++length;
    if (length != 3) {
      at_ = std::min<std::size_t>(length, 3);
      return fail(fmt::format("a segment name has three characters, this one has {}", length),
                  "write it as in PID-3.1 or ZPI-2");
    }
    for (std::size_t i = 0; i < 3; ++i) path_.segment[i] = capital(text_[i]);
    at_ = 3;
    if (peek() == '[') path_.segment_index = TRY(read_index("segment", kHighestSegment));
    return {};
  }

  Result<std::uint32_t> read_index(std::string_view what, std::uint32_t highest) {
    ++at_;  // '['
    std::uint32_t index = Path::kAll;
    if (peek() == '*') {
      ++at_;
    } else {
      index = TRY(read_number(what, highest));
    }
    if (peek() != ']') return unexpected("']'");
    ++at_;
    return index;
  }

  Result<std::uint32_t> read_number(std::string_view what, std::uint32_t highest) {
    const std::size_t begin = at_;
    std::uint64_t number = 0;
    while (is_digit(peek())) {
      number = std::min<std::uint64_t>(number * 10 + static_cast<std::uint64_t>(text_[at_] - '0'),
                                       1ULL << 32);
      ++at_;
    }
    if (at_ == begin) return unexpected(fmt::format("a {} number", what));
    if (number == 0 || number > highest) {
      return Error{"H002",
                   fmt::format("the {} number in the path \"{}\" is outside of 1 to {}", what,
                               shown(), highest),
                   "segments, fields, repetitions and components count from 1", Span{begin, at_}};
    }
    return static_cast<std::uint32_t>(number);
  }

  // Paths come from scripts and configuration, so they may be shown; only their length is not to be
  // trusted.
  std::string shown() const {
    std::string text(text_.substr(0, 40));
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    return text_.size() > 40 ? text + "…" : text;
  }

  Error fail(std::string what, std::string hint) const {
    return Error{"H001", fmt::format("cannot read the path \"{}\": {}", shown(), what),
                 std::move(hint), Span{at_, std::min(at_ + 1, text_.size())}};
  }

  Error unexpected(std::string_view expected) const {
    const std::string found = at_end() ? "it ends" : fmt::format("there is '{}'", shown_char());
    return fail(fmt::format("{} at character {}, where {} was expected", found, at_ + 1, expected),
                "paths look like PID-3, PID-3[2].1 or OBX[*]-5, and inside a segment 3 or 3[2].1");
  }

  char shown_char() const { return static_cast<unsigned char>(peek()) < 0x20 ? ' ' : peek(); }

  std::string_view text_;
  std::size_t at_ = 0;
  Path path_;
};

void append_index(std::string& out, std::uint32_t index) {
  if (index == Path::kAll) {
    out += "[*]";
  } else {
    fmt::format_to(std::back_inserter(out), "[{}]", index);
  }
}

}  // namespace

Result<Path> Path::parse(std::string_view text) {
  return PathReader(text).read();
}

std::string Path::text() const {
  std::string out(segment_name());
  if (!out.empty() && segment_index != 1) append_index(out, segment_index);
  if (field == 0) return out;
  if (!out.empty()) out += '-';
  fmt::format_to(std::back_inserter(out), "{}", field);
  if (repetition != 0) append_index(out, repetition);
  if (component != 0) fmt::format_to(std::back_inserter(out), ".{}", component);
  if (subcomponent != 0) fmt::format_to(std::back_inserter(out), ".{}", subcomponent);
  return out;
}

}  // namespace cannula::hl7v2
