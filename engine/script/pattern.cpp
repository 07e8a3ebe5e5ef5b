// The algorithm and its corner cases are those of lstrlib.c of Lua 5.4 (Copyright (C) 1994-2022
// Lua.org, PUC-Rio, MIT licence; see NOTICE).
#include "engine/script/pattern.h"

#include <cctype>
#include <cstring>
#include <string>

namespace cannula::script {

namespace {

constexpr char kEscape = '%';

unsigned char byte_at(const char* place) {
  return static_cast<unsigned char>(*place);
}

bool matches_class(unsigned char letter, unsigned char name) {
  // The two that are asked most, without the calls.
  if (name == 'd') return letter >= '0' && letter <= '9';
  if (name == 's') return letter == ' ' || (letter >= '\t' && letter <= '\r');
  bool result = false;
  switch (std::tolower(name)) {
    case 'a':
      result = std::isalpha(letter) != 0;
      break;
    case 'c':
      result = std::iscntrl(letter) != 0;
      break;
    case 'd':
      result = std::isdigit(letter) != 0;
      break;
    case 'g':
      result = std::isgraph(letter) != 0;
      break;
    case 'l':
      result = std::islower(letter) != 0;
      break;
    case 'p':
      result = std::ispunct(letter) != 0;
      break;
    case 's':
      result = std::isspace(letter) != 0;
      break;
    case 'u':
      result = std::isupper(letter) != 0;
      break;
    case 'w':
      result = std::isalnum(letter) != 0;
      break;
    case 'x':
      result = std::isxdigit(letter) != 0;
      break;
    case 'z':  // deprecated in Lua, and still in use
      result = letter == 0;
      break;
    default:
      return name == letter;
  }
  return std::isupper(name) != 0 ? !result : result;
}

// The letter that each match begins with, when the pattern says so: its first item is one letter,
// and not one that may be left out.
std::optional<char> first_letter_of(std::string_view pattern) {
  const bool escaped = pattern.starts_with(kEscape);
  if (escaped) pattern.remove_prefix(1);
  if (pattern.empty()) return std::nullopt;
  const char letter = pattern.front();
  const bool special = escaped ? std::isalnum(static_cast<unsigned char>(letter)) != 0
                               : std::string_view("().[$").find(letter) != std::string_view::npos;
  const char suffix = pattern.size() > 1 ? pattern[1] : '\0';
  if (special || suffix == '*' || suffix == '?' || suffix == '-') return std::nullopt;
  return letter;
}

}  // namespace

Matcher::Matcher(std::string_view subject, std::string_view pattern, StepMeter& meter)
    : subject_begin_(subject.data()),
      subject_end_(subject.data() + subject.size()),
      pattern_begin_(pattern.data()),
      pattern_end_(pattern.data() + pattern.size()),
      first_letter_(first_letter_of(pattern)),
      meter_(meter) {}

Matcher::~Matcher() = default;

void Matcher::report() {
  const std::size_t steps = steps_;
  steps_ = 0;
  meter_.spent(steps);
}

const char* Matcher::match(const char* at) {
  level_ = 0;
  depth_ = kMostDepth;
  return run(at, pattern_begin_);
}

const char* Matcher::next_start(const char* at) {
  if (at > subject_end_) return nullptr;
  if (!first_letter_) return at;
  const auto left = static_cast<std::size_t>(subject_end_ - at);
  const void* found = left == 0 ? nullptr : std::memchr(at, *first_letter_, left);
  const char* start = static_cast<const char*>(found);
  step(1 + static_cast<std::size_t>((found == nullptr ? subject_end_ : start) - at) / 16);
  return start;
}

Matcher::Capture Matcher::capture(int index, const char* match_begin, const char* match_end) const {
  if (index >= level_) {
    if (index != 0) {
      throw PatternError("invalid capture index %" + std::to_string(index + 1));
    }
    return {match_begin, match_end - match_begin};
  }
  const Capture& found = captures_[static_cast<std::size_t>(index)];
  if (found.size == Capture::kUnfinished) throw PatternError("unfinished capture");
  return found;
}

int Matcher::checked_capture(int letter) const {
  const int index = letter - '1';
  if (index < 0 || index >= level_ ||
      captures_[static_cast<std::size_t>(index)].size == Capture::kUnfinished) {
    throw PatternError("invalid capture index %" + std::to_string(index + 1));
  }
  return index;
}

int Matcher::capture_to_close() const {
  for (int index = level_ - 1; index >= 0; --index) {
    if (captures_[static_cast<std::size_t>(index)].size == Capture::kUnfinished) return index;
  }
  throw PatternError("invalid pattern capture");
}

const char* Matcher::class_end(const char* pattern) const {
  const char first = *pattern++;
  if (first == kEscape) {
    if (pattern == pattern_end_) throw PatternError("malformed pattern (ends with '%')");
    return pattern + 1;
  }
  if (first == '[') {
    if (pattern < pattern_end_ && *pattern == '^') ++pattern;
    do {  // a ']' that comes first is itself
      if (pattern == pattern_end_) throw PatternError("malformed pattern (missing ']')");
      if (*pattern++ == kEscape && pattern < pattern_end_) ++pattern;
    } while (pattern == pattern_end_ || *pattern != ']');
    return pattern + 1;
  }
  return pattern;
}

// `set` stands at '[', `set_end` at the closing ']'.
bool Matcher::matches_set(unsigned char letter, const char* set, const char* set_end) {
  step(static_cast<std::size_t>(set_end - set) / 2);
  bool wanted = true;
  if (set[1] == '^') {
    wanted = false;
    ++set;
  }
  while (++set < set_end) {
    if (*set == kEscape) {
      ++set;
      if (matches_class(letter, byte_at(set))) return wanted;
    } else if (set[1] == '-' && set + 2 < set_end) {
      set += 2;
      if (byte_at(set - 2) <= letter && letter <= byte_at(set)) return wanted;
    } else if (byte_at(set) == letter) {
      return wanted;
    }
  }
  return !wanted;
}

bool Matcher::matches_one(const char* at, const char* pattern, const char* item_end) {
  step();
  if (at >= subject_end_) return false;
  switch (*pattern) {
    case '.':
      return true;
    case kEscape:
      return matches_class(byte_at(at), byte_at(pattern + 1));
    case '[':
      return matches_set(byte_at(at), pattern, item_end - 1);
    default:
      return *pattern == *at;
  }
}

// `pattern` stands behind "%b".
const char* Matcher::balanced(const char* at, const char* pattern) {
  if (pattern + 1 >= pattern_end_) {
    throw PatternError("malformed pattern (missing arguments to '%b')");
  }
  if (at >= subject_end_ || *at != *pattern) return nullptr;
  const char open = pattern[0];
  const char close = pattern[1];
  std::size_t nesting = 1;
  while (++at < subject_end_) {
    step();
    if (*at == close) {
      if (--nesting == 0) return at + 1;
    } else if (*at == open) {
      ++nesting;
    }
  }
  return nullptr;
}

const char* Matcher::expand_most(const char* at, const char* pattern, const char* item_end) {
  std::ptrdiff_t count = 0;
  while (matches_one(at + count, pattern, item_end)) ++count;
  for (; count >= 0; --count) {
    step();
    if (const char* end = run(at + count, item_end + 1)) return end;
  }
  return nullptr;
}

const char* Matcher::expand_least(const char* at, const char* pattern, const char* item_end) {
  for (;; ++at) {
    step();
    if (const char* end = run(at, item_end + 1)) return end;
    if (!matches_one(at, pattern, item_end)) return nullptr;
  }
}

const char* Matcher::start_capture(const char* at, const char* pattern, std::ptrdiff_t kind) {
  if (level_ >= kMostCaptures) throw PatternError("too many captures");
  captures_[static_cast<std::size_t>(level_)] = {at, kind};
  ++level_;
  const char* end = run(at, pattern);
  if (end == nullptr) --level_;
  return end;
}

const char* Matcher::end_capture(const char* at, const char* pattern) {
  Capture& open = captures_[static_cast<std::size_t>(capture_to_close())];
  open.size = at - open.begin;
  const char* end = run(at, pattern);
  if (end == nullptr) open.size = Capture::kUnfinished;
  return end;
}

const char* Matcher::same_as_capture(const char* at, int letter) {
  const Capture& capture = captures_[static_cast<std::size_t>(checked_capture(letter))];
  // A position capture has no text; Lua compares its size, a huge number, and so finds none.
  if (capture.size < 0) return nullptr;
  const auto size = static_cast<std::size_t>(capture.size);
  step(size / 16);
  if (static_cast<std::size_t>(subject_end_ - at) >= size &&
      std::memcmp(capture.begin, at, size) == 0) {
    return at + size;
  }
  return nullptr;
}

// Matches the rest of the pattern. What Lua does by tail calls is a loop here, so that a long plain
// pattern needs no depth.
const char* Matcher::run(const char* at, const char* pattern) {
  if (depth_-- == 0) throw PatternError("pattern too complex");
  struct Level {
    int& depth;
    ~Level() { ++depth; }
  } level{depth_};

  while (pattern != pattern_end_) {
    step();
    if (*pattern == '(') {
      if (pattern + 1 < pattern_end_ && pattern[1] == ')') {
        return start_capture(at, pattern + 2, Capture::kPosition);
      }
      return start_capture(at, pattern + 1, Capture::kUnfinished);
    }
    if (*pattern == ')') return end_capture(at, pattern + 1);
    if (*pattern == '$' && pattern + 1 == pattern_end_) {
      return at == subject_end_ ? at : nullptr;
    }
    if (*pattern == kEscape && pattern + 1 < pattern_end_) {
      const char kind = pattern[1];
      if (kind == 'b') {
        at = balanced(at, pattern + 2);
        if (at == nullptr) return nullptr;
        pattern += 4;
        continue;
      }
      if (kind == 'f') {
        pattern += 2;
        if (pattern >= pattern_end_ || *pattern != '[') {
          throw PatternError("missing '[' after '%f' in pattern");
        }
        const char* set_end = class_end(pattern);
        const unsigned char before = at == subject_begin_ ? '\0' : byte_at(at - 1);
        const unsigned char here = at == subject_end_ ? '\0' : byte_at(at);
        if (matches_set(before, pattern, set_end - 1) || !matches_set(here, pattern, set_end - 1)) {
          return nullptr;
        }
        pattern = set_end;
        continue;
      }
      if (std::isdigit(byte_at(pattern + 1)) != 0) {
        at = same_as_capture(at, byte_at(pattern + 1));
        if (at == nullptr) return nullptr;
        pattern += 2;
        continue;
      }
    }
    const char* item_end = class_end(pattern);
    const char suffix = item_end < pattern_end_ ? *item_end : '\0';
    if (!matches_one(at, pattern, item_end)) {
      if (suffix != '*' && suffix != '?' && suffix != '-') return nullptr;
      pattern = item_end + 1;  // none of them is a match too
      continue;
    }
    switch (suffix) {
      case '?':
        if (const char* end = run(at + 1, item_end + 1)) return end;
        pattern = item_end + 1;
        continue;
      case '+':
        return expand_most(at + 1, pattern, item_end);
      case '*':
        return expand_most(at, pattern, item_end);
      case '-':
        return expand_least(at, pattern, item_end);
      default:
        ++at;
        pattern = item_end;
    }
  }
  return at;
}

}  // namespace cannula::script
