// How far long work has come: a bar on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

namespace cannula::cli {

// For one thread. The bar goes when this goes.
class ProgressBar {
 public:
  // What is told where there is no terminal: percent done, seconds left.
  using Line = std::function<void(int percent, double left)>;

  // `line` may be null: then only terminals are told.
  ProgressBar(std::FILE* to, std::string label, Line line = nullptr);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // In any unit. Draws when there was time enough since the last time, so it may be called often.
  void show(std::uint64_t done, std::uint64_t all);

 private:
  using Clock = std::chrono::steady_clock;

  std::FILE* const to_;
  const std::string label_;
  const Line line_;
  const bool terminal_;
  const Clock::time_point begun_ = Clock::now();
  std::optional<Clock::time_point> shown_;
};

}  // namespace cannula::cli
