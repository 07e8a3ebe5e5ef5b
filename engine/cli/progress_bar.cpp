#include "engine/cli/progress_bar.h"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

namespace cannula::cli {
namespace {

constexpr std::chrono::milliseconds kBarEvery{200};
constexpr std::chrono::milliseconds kLineEvery{5000};
constexpr std::size_t kWidth = 40;

}  // namespace

ProgressBar::ProgressBar(std::FILE* to, std::string label, Line line)
    : to_(to),
      label_(std::move(label)),
      line_(std::move(line)),
      terminal_(::isatty(::fileno(to)) == 1) {}

ProgressBar::~ProgressBar() {
  if (shown_ && terminal_) fmt::print(to_, "\r{:79}\r", "");
}

void ProgressBar::show(std::uint64_t done, std::uint64_t all) {
  if (!terminal_ && !line_) return;
  const auto now = Clock::now();
  if (shown_ && now - *shown_ < (terminal_ ? kBarEvery : kLineEvery) && done < all) return;
  shown_ = now;
  const double part =
      static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(all, 1));
  const double took = std::chrono::duration<double>(now - begun_).count();
  const double left = took * (1 - part) / std::max(part, 1e-6);
  if (!terminal_) return line_(static_cast<int>(part * 100), left);
  const auto full = static_cast<std::size_t>(part * kWidth);
  fmt::print(to_, "\r{} [{:<{}}] {:3.0f} %  {:.0f} s left  ", label_, std::string(full, '#'),
             kWidth, part * 100, left);
  std::fflush(to_);
}

}  // namespace cannula::cli
