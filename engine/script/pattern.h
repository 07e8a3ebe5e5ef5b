// Lua's patterns (Reference Manual 6.4.1), with a meter: the stock matcher backtracks for as long
// as it likes in one instruction. Same semantics and same error texts as Lua 5.4. Knows nothing of
// a Lua state, so that it can be tested and fuzzed alone.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace cannula::script {

class PatternError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Told of every few thousand steps of a few nanoseconds; throws to end the match.
class StepMeter {
 public:
  virtual void spent(std::size_t steps) = 0;

 protected:
  ~StepMeter() = default;
};

class Matcher {
 public:
  struct Capture {
    static constexpr std::ptrdiff_t kUnfinished = -1;
    static constexpr std::ptrdiff_t kPosition = -2;
    const char* begin = nullptr;
    std::ptrdiff_t size = 0;
  };

  // `pattern` without its anchor. Both texts must outlive the matcher.
  Matcher(std::string_view subject, std::string_view pattern, StepMeter& meter);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // Where a match that starts at `at` ends, or null. Throws PatternError, or what the meter throws.
  const char* match(const char* at);
  // The first place from `at` on where a match can start, or null: of a pattern that begins with a
  // letter of its own, where that letter stands, so that most texts are done in one look.
  const char* next_start(const char* at);

  const char* begin() const { return subject_begin_; }
  const char* end() const { return subject_end_; }
  // Captures of the last match; finished or a position.
  int captures() const { return level_; }
  // Capture `index` (from 0). Of a match without captures, 0 is the whole match.
  Capture capture(int index, const char* match_begin, const char* match_end) const;

 private:
  static constexpr int kMostCaptures = 32;
  static constexpr int kMostDepth = 200;
  static constexpr std::size_t kStepsBetweenReports = 4096;

  const char* run(const char* at, const char* pattern);
  const char* class_end(const char* pattern) const;
  bool matches_one(const char* at, const char* pattern, const char* item_end);
  bool matches_set(unsigned char letter, const char* set, const char* set_end);
  const char* balanced(const char* at, const char* pattern);
  const char* expand_most(const char* at, const char* pattern, const char* item_end);
  const char* expand_least(const char* at, const char* pattern, const char* item_end);
  const char* start_capture(const char* at, const char* pattern, std::ptrdiff_t kind);
  const char* end_capture(const char* at, const char* pattern);
  const char* same_as_capture(const char* at, int letter);
  int checked_capture(int letter) const;
  int capture_to_close() const;

  void step(std::size_t count = 1) {
    steps_ += count;
    if (steps_ >= kStepsBetweenReports) report();
  }
  void report();

  const char* subject_begin_;
  const char* subject_end_;
  const char* pattern_begin_;
  const char* pattern_end_;
  const std::optional<char> first_letter_;
  StepMeter& meter_;
  std::size_t steps_ = 0;
  int depth_ = 0;
  int level_ = 0;
  std::array<Capture, kMostCaptures> captures_;
};

}  // namespace cannula::script
